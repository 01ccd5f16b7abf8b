"""The keys that webhooks are sent with: the secret that signs them, and the client certificate."""

import base64
import binascii
import ssl

_PREFIX = "whsec_"
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64


def secret_of(token: str) -> bytes:
    """The signing secret of a token: base64 after `whsec_`, else the token's own bytes.

    Standard Webhooks asks for 24 to 64 bytes of base64. Raises ValueError with what to change.
    """
    if not token.startswith(_PREFIX):
        return token.encode()
    try:
        encoded = token.removeprefix(_PREFIX).rstrip("=")
        secret = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        raise ValueError("must be base64 after whsec_") from None
    if not MIN_SECRET_BYTES <= len(secret) <= MAX_SECRET_BYTES:
        raise ValueError(f"must be base64 of {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes after whsec_")
    return secret


def client_tls(certificate: str | None, key: str | None) -> ssl.SSLContext:
    """TLS for calls to the receiver: it trusts the system's authorities.

    `certificate` is the PEM file of a certificate to show, `key` the PEM file of its key (None: it
    is in the same file). Raises ValueError with what to change.
    """
    context = ssl.create_default_context()
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, key, password=_no_password)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{certificate} cannot be used with its key ({error}); "
                "name PEM files of a certificate and of its key without a password"
            ) from None
    return context


def _no_password() -> str:
    """Called for a key that has a password: a service cannot ask for it."""
    raise ValueError("the key has a password")
