"""Signatures of Standard Webhooks, which go along with every form."""

import base64
import binascii
import hmac

_PREFIX = "whsec_"
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64


def secret_of(token: str) -> bytes:
    """The signing secret of a token: base64 after `whsec_` (24 to 64 bytes, as Standard Webhooks has it), else the token's own bytes.

    Raises ValueError with what to change.
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


class Signer:
    """Signs with the present token and, while receivers learn a new one, with the old one as well."""

    def __init__(self, token: str, old_token: str | None = None) -> None:
        self._secrets = [secret_of(one) for one in (token, old_token) if one]

    def headers(self, message_id: str, body: bytes, now_s: int) -> dict[str, str]:
        """The three headers of Standard Webhooks; one signature per secret, the present one first."""
        signed = b"%b.%d.%b" % (message_id.encode(), now_s, body)
        signatures = [base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in self._secrets]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(now_s),
            "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        }
