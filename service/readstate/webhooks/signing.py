"""Signatures of Standard Webhooks, which every form sends."""

import base64
import hmac

from readstate.webhook_keys import secret_of


class Signer:
    """Signs with the present token and, while the receiver changes to it, with the old one too."""

    def __init__(self, token: str, old_token: str | None = None) -> None:
        self._secrets = [secret_of(one) for one in (token, old_token) if one]

    def headers(self, message_id: str, body: bytes, now_s: int) -> dict[str, str]:
        """The three headers of Standard Webhooks; one signature per secret, the present first."""
        signed = b"%b.%d.%b" % (message_id.encode(), now_s, body)
        signatures = [base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in self._secrets]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(now_s),
            "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        }
