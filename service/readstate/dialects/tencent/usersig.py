"""UserSig, the signature of callers.

Tencent Cloud Chat, Generating UserSig; TLSSigAPIv2 with HMAC-SHA256. A UserSig is JSON claims,
deflated by zlib and written in base64 with `*` for `+`, `-` for `/` and `_` for `=`. The signature
covers four lines made of the claims' values, not the JSON itself; so libraries may write and pack
the JSON as they like.
"""

import base64
import binascii
import hashlib
import hmac
import re
import zlib
from collections.abc import Callable
from time import time
from typing import Annotated, Any, Final, Literal

import msgspec
from cachetools import FIFOCache
from msgspec import UNSET, Meta, Struct, field

from readstate.dialects.tencent import errors

MAX_TEXT_BYTES: Final = 2 * 1024
MAX_CLAIMS_BYTES: Final = 4 * 1024  # inflated
MAX_KNOWN: Final = 1024  # valid signatures that are remembered

_ALPHABET = re.compile(r"[A-Za-z0-9*-]+_{0,2}")
_TO_BASE64 = str.maketrans("*-_", "+/=")

_Number = Annotated[int, Meta(ge=0, lt=2**53)] | Annotated[str, Meta(pattern=r"\A[0-9]{1,15}\Z")]


class _Claims(Struct, frozen=True):
    """The claims of a UserSig."""

    version: Literal["2.0"] = field(name="TLS.ver")
    identifier: str = field(name="TLS.identifier")
    sdkappid: _Number = field(name="TLS.sdkappid")
    time_s: _Number = field(name="TLS.time")
    life_s: _Number = field(name="TLS.expire")
    signature: str = field(name="TLS.sig")
    userbuf: Any = field(name="TLS.userbuf", default=UNSET)  # of another product; refused here

    @property
    def ends_s(self) -> int:
        """The Unix second from which on the signature is invalid: the one after its last."""
        return int(self.time_s) + int(self.life_s) + 1

    def expected(self, key: bytes) -> bytes:
        """The signature that these claims have under `key`."""
        lines = (
            f"TLS.identifier:{self.identifier}\nTLS.sdkappid:{int(self.sdkappid)}\n"
            f"TLS.time:{int(self.time_s)}\nTLS.expire:{int(self.life_s)}\n"
        )
        return base64.b64encode(hmac.digest(key, lines.encode(), hashlib.sha256))


_decode_claims = msgspec.json.Decoder(_Claims).decode


class UserSigs:
    """Checks signatures, and remembers the valid ones until they expire.

    `key` is used as text: its hexadecimal digits are not decoded. Signatures with `old_key` are
    valid too. `now` gives Unix seconds.
    """

    def __init__(self, *, sdkappid: int, key: str, old_key: str | None = None, now: Callable[[], float] = time) -> None:
        self._sdkappid = sdkappid
        self._keys = [given.encode() for given in (key, old_key) if given]
        self._now = now
        self._known: FIFOCache[bytes, tuple[str, int]] = FIFOCache(MAX_KNOWN)

    def check(self, usersig: str, identifier: str) -> None:
        """Check that `usersig` is for this app and `identifier`, well signed, and not expired.

        The checks have the order of Tencent's own verifier: form, app, identifier, expiry,
        signature. Raises ProblemError.
        """
        if not usersig:
            raise errors.ProblemError(errors.SIGNATURE_EMPTY)
        # By digest, so that the time of a look-up tells nothing about the known signatures.
        digest = hashlib.sha256(usersig.encode("utf-8", "surrogatepass")).digest()
        if (known := self._known.get(digest)) and known[0] == identifier and self._now() < known[1]:
            return
        claims = unpack(usersig)
        self._check_claims(claims, identifier)
        self._known[digest] = (identifier, claims.ends_s)

    def _check_claims(self, claims: _Claims, identifier: str) -> None:
        if int(claims.sdkappid) != self._sdkappid:
            raise errors.ProblemError(errors.SIGNATURE_OF_ANOTHER_APP)
        if claims.identifier != identifier:
            raise errors.ProblemError(errors.SIGNATURE_OF_ANOTHER)
        if self._now() >= claims.ends_s:
            raise errors.ProblemError(errors.SIGNATURE_EXPIRED)
        signature = claims.signature.encode()
        if not any(hmac.compare_digest(claims.expected(key), signature) for key in self._keys):
            raise errors.ProblemError(errors.SIGNATURE_WRONG)


def unpack(usersig: str) -> _Claims:
    """The claims of a UserSig, not verified.

    Raises ProblemError when it is malformed or too large.
    """
    if len(usersig) > MAX_TEXT_BYTES or not _ALPHABET.fullmatch(usersig):
        raise errors.ProblemError(errors.SIGNATURE_MALFORMED)
    try:
        claims = _decode_claims(_inflate(base64.b64decode(usersig.translate(_TO_BASE64), validate=True)))
    except (binascii.Error, zlib.error, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise errors.ProblemError(errors.SIGNATURE_MALFORMED) from None
    if claims.userbuf is not UNSET or int(claims.life_s) == 0:
        raise errors.ProblemError(errors.SIGNATURE_MALFORMED)
    return claims


def _inflate(packed: bytes) -> bytes:
    """Inflate `packed`, one complete zlib stream.

    Raises zlib.error when it is none, and when it holds more than a UserSig can.
    """
    inflater = zlib.decompressobj()
    inflated = inflater.decompress(packed, MAX_CLAIMS_BYTES + 1)
    if not inflater.eof or inflater.unused_data or len(inflated) > MAX_CLAIMS_BYTES:
        raise zlib.error("not one complete stream of a fair size")
    return inflated
