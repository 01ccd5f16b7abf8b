"""Secrets that people paste: API keys and client keys."""

import secrets


def fresh_secret(random_bytes: int) -> str:
    """A random secret of URL-safe characters: 4 for every 3 bytes, rounded up.

    It never begins with a hyphen: on a command line, `--api-key -x` would be two options.
    """
    while (secret := secrets.token_urlsafe(random_bytes)).startswith("-"):
        pass
    return secret
