"""The settings: one frozen value, read once from the environment and passed on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from readstate.errors import SettingsError
from readstate.files import check_private_directory, private_directory
from readstate.settings.checks import check_client_certificate, check_distinct, check_given
from readstate.settings.fields import PREFIX, TYPES, Fields
from readstate.settings.secret_files import with_contents
from readstate.settings.secrets import SECRET_BYTES, kept_secret, read_secret
from readstate.settings.values import check_known, convert, plain, text_of

__all__ = ["PREFIX", "Settings", "SettingsError"]


class Settings(Fields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields, and how they are read and completed.

    `resolve` fills in what is left open (the secrets and the place of the data), so that the
    supervisor and each worker end up with the same values.
    """

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the READSTATE_ variables; an empty one counts as unset.

        A secret may be in a file, which READSTATE_..._FILE names. Raises SettingsError for an
        unknown name (with the nearest known one), for a value out of bounds, for a file that others
        may read, and for a setting that has no effect without another one.
        """
        given = {name: value for name, value in environ.items() if name.upper().startswith(PREFIX)}
        for name in sorted(given):
            check_known(name)
        given = with_contents(given)
        fields = {name.removeprefix(PREFIX).lower(): value for name, value in given.items() if value}
        settings = cls(**{name: convert(name, plain(name, value)) for name, value in fields.items()})
        check_given(settings)
        return settings

    def resolve(self) -> Self:
        """The same settings with an absolute data directory and with every secret set.

        Creates the data directory (mode 0700) and a file for each secret (mode 0600) where they are
        missing, and changes none that exists. A deployment that gives every secret and a server of
        its own needs no data directory and gets none. Raises SettingsError when others may read the
        directory or a secret, when two secrets are the same, or when a secret or the client
        certificate cannot be used.
        """
        directory = Path(self.data_dir).absolute()
        if self.redis_url is None or self.open_secrets():
            private_directory(directory)
        return self._completed(directory, {name: kept_secret(directory, name) for name in self.open_secrets()})

    def resolve_existing(self) -> Self:
        """The same for a command that looks after a service. Creates nothing.

        A secret that is neither given nor kept stays "". Raises SettingsError as `resolve` does.
        """
        directory = Path(self.data_dir).absolute()
        kept = {name: read_secret(directory, name) for name in self.open_secrets() if (directory / name).exists()}
        if kept:
            check_private_directory(directory)
        return self._completed(directory, kept)

    def _completed(self, directory: Path, found: dict[str, str]) -> Self:
        check_client_certificate(self)
        resolved = msgspec.structs.replace(self, data_dir=str(directory), **found)
        check_distinct(resolved)
        return resolved

    def open_secrets(self) -> list[str]:
        """Names of the secrets that were not given; `resolve` makes and keeps them."""
        return [name for name in SECRET_BYTES if not getattr(self, name)]

    def environ(self) -> dict[str, str]:
        """These settings as READSTATE_ variables: what a worker is started with."""
        values = {name: getattr(self, name) for name in TYPES}
        return {PREFIX + name.upper(): text_of(value) for name, value in values.items() if value is not None}
