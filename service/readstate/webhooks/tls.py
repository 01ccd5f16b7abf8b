"""Whom webhooks trust, and who they say they are."""

import ssl


def client_tls(certificate: str | None, key: str | None) -> ssl.SSLContext:
    """Trusts the system's authorities; shows the certificate in the PEM file `certificate`, if given.

    `key` is the PEM file of its key; None: it is in the same file. Raises ValueError with what to change.
    """
    context = ssl.create_default_context()
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, key, password=_no_password)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{certificate} cannot be used with its key ({error}); name PEM files of a certificate and of its key without a password"
            ) from None
    return context


def _no_password() -> str:
    """Called for a key that has a password: a service has nobody to ask."""
    raise ValueError("the key has a password")
