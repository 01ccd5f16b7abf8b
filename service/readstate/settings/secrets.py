"""Secrets that are made when they are not given, and kept in files of the data directory."""

import os
import secrets
from pathlib import Path

from readstate.files import check_private, unusable
from readstate.fresh_secrets import fresh_secret
from readstate.settings.values import convert

# Random bytes of each secret that is made when unset.
SECRET_BYTES = {"api_key": 32, "client_key": 24, "token_secret": 48}


def kept_secret(directory: Path, name: str) -> str:
    """The secret in the file `name`, which is made when it is missing. Raises SettingsError.

    Of several processes that start together, the first to link its file decides for all.
    """
    path = directory / name
    if not path.exists():
        fresh = directory / f".{name}.{secrets.token_hex(8)}"
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(fresh_secret(SECRET_BYTES[name]) + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(fresh, path)
        except FileExistsError:
            pass
        except OSError as error:
            raise unusable(directory, error) from None
        finally:
            fresh.unlink(missing_ok=True)
    return read_secret(directory, name)


def read_secret(directory: Path, name: str) -> str:
    """The secret in the file `name`, which must exist. Raises SettingsError."""
    path = directory / name
    check_private(path, path.stat(), "600")
    value = path.read_text(encoding="ascii", errors="replace").strip()
    return str(convert(name, value, source=f"the secret in {path}"))
