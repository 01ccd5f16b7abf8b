"""The log of what a backend does with the rights of an administrator."""

import hashlib
import logging

from readstate.dialects.http.request_id import for_log
from readstate.dialects.imkit.auth import api_key_of
from readstate.dialects.imkit.operation import Call
from readstate.logs import ADMINISTRATION

logger = logging.getLogger(ADMINISTRATION)

_KEY_DIGITS = 12


def tell(request: Call, message: str, **about: object) -> None:
    """Log what was done, in which app, and by whom: the first digits of the SHA-256 of the API key,
    never the key; and the request's id.
    """
    key = hashlib.sha256(api_key_of(request.scope)).hexdigest()[:_KEY_DIGITS]
    logger.info(message, extra={"app": request.auth.app, **about, "api_key_sha256": key, **for_log(request.scope)})
