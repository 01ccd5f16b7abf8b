"""Secrets in files: READSTATE_API_KEY_FILE names a file that holds READSTATE_API_KEY.

So a secret stands in no environment, where every process of a user can read it, and platforms that
hand out secrets as files (systemd, Docker, Kubernetes) need no wrapper.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from readstate.errors import SettingsError
from readstate.settings.fields import PREFIX

ENDING = "_FILE"
MAX_BYTES = 4096

# The URL of the store holds its password.
SECRETS = (
    *("redis_url", "api_key", "old_api_key", "client_key", "old_client_key", "token_secret", "old_token_secret"),
    *("tencent_key", "tencent_old_key", "tencent_token", "tencent_old_token", "webhook_token", "webhook_old_token"),
)
FILE_VARIABLES = {f"{PREFIX}{name.upper()}{ENDING}": f"{PREFIX}{name.upper()}" for name in SECRETS}


def with_contents(given: Mapping[str, str]) -> dict[str, str]:
    """READSTATE_ variables, each that names a file replaced by the one with its content.

    Raises SettingsError for a file that cannot be used, and when both variables are given.
    """
    found = {name: value for name, value in given.items() if name not in FILE_VARIABLES}
    for file_variable, variable in FILE_VARIABLES.items():
        if path := given.get(file_variable):
            if given.get(variable):
                raise SettingsError(f"{variable} and {file_variable} are both set; unset one of them")
            found[variable] = _content(file_variable, Path(path))
    return found


def _content(variable: str, path: Path) -> str:
    """The text of the file without one line end at its end."""
    try:
        # Opened first, so that what is checked is what is read.
        with open(path, "rb") as file:
            _check_closed(variable, path, os.fstat(file.fileno()), os.fstatvfs(file.fileno()))
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(
            f"{variable}: {path} cannot be read ({error.strerror}); name a file that this user may read"
        ) from None
    if not content or len(content) > MAX_BYTES:
        raise SettingsError(f"{variable}: {path} must hold 1 to {MAX_BYTES} bytes, the secret and nothing else")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise SettingsError(f"{variable}: {path} must be text, the secret and nothing else") from None
    return text.removesuffix("\n").removesuffix("\r")


def _check_closed(variable: str, path: Path, status: os.stat_result, mount: os.statvfs_result) -> None:
    """Raises SettingsError unless it is a file that others cannot read, or is mounted read-only.

    What is mounted so comes from a platform, which has chosen who may read it.
    """
    if not stat.S_ISREG(status.st_mode):
        raise SettingsError(f"{variable}: {path} is no file; name one that holds the secret and nothing else")
    if mount.f_flag & os.ST_RDONLY:
        return
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise SettingsError(f"{variable}: {path} is open to other users of this machine; run `chmod 600 {path}`")
