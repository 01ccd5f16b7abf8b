"""UserSig: good signatures, and the mistakes in others, by a fixed clock."""

import base64
import hashlib
import hmac
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readstate.dialects.tencent.errors import ProblemError
from readstate.dialects.tencent.usersig import MAX_CLAIMS_BYTES, MAX_KNOWN, MAX_TEXT_BYTES, UserSigs, unpack
from tests.support.tencent import ADMIN, KEY, SDKAPPID

MINTED = 1_700_000_000
V1_ENDS = MINTED + 86_400

V1 = (
    "eJyrVgrxCdYrSy1SslJQMtIzUNJRAItkpqTmlWSmZUIkElNyM-Myi0uKEkvyi2BKilOyEwsKMlOACgxNDCDAECqXWlGQWZQKlLEwA0pBBUsyc0FChuZQxTDx4sx0kCUe"
    "BbnJjo6VlUY5TmUeFcU52jkGIbkFQSHm5Qae*ebpLk5BKaG*JX7e*a75tkq1AFTCNek_"
)
V2 = (
    "eJyrVgrxCdYrSy1SslJQMtIzUNJRAItkpqTmlWSmZUIkElNyM-Myi0uKEkvyi2BKilOyEwsKMlOACgxNDCDAECqXWlGQWZQKkjE1NTUCSkDFSzJzwaLmUPUw8eLMdJA9"
    "lSURkUEuBenZXqm5IRbJSWVlYZ65wdrGrsZGLsFRaaZuvllhrr6pBkUpobZKtQDaYzYP"
)
# The claims of V1 as the Go library packs them: compact JSON, a line break, a stored zlib stream.
V3 = (
    "eAEBrwBQ-3siVExTLnZlciI6IjIuMCIsIlRMUy5pZGVudGlmaWVyIjoiYWRtaW5pc3RyYXRvciIsIlRMUy5zZGthcHBpZCI6MTQwMDAwMDAwMSwiVExTLmV4cGlyZSI6"
    "ODY0MDAsIlRMUy50aW1lIjoxNzAwMDAwMDAwLCJUTFMuc2lnIjoiSHBtY0FBeXkybEJ2SHhzbCtsMFRtcFJUN3cwSW83Z0RCUmRVTXROS29Fbz0ifQoH1zST"
)
WRONG_KEY = (
    "eJyrVgrxCdYrSy1SslJQMtIzUNJRAItkpqTmlWSmZUIkElNyM-Myi0uKEkvyi2BKilOyEwsKMlOACgxNDCDAECqXWlGQWZQKlLEwA0pBBUsyc0FChuZQxTDx4sx0kCUF"
    "xb4mrqbuEUYl2tmOQVm*3u7pOelp-iYhhm7FvgGBlqbuhgbmiZauOQYWtkq1ACvyM-w_"
)
ALICES = (
    "eJyrVgrxCdYrSy1SslJQMtIzUNJRAItkpqTmlWSmZUIkEnMyk1NhUsUp2YkFBZkpQAlDEwMIMITKpVYUZBalAmUszIBSUMGSzFyQkKE5VDFMvDgzHWS4aWqRp0*Wj1FQ"
    "uo9BqqdTVEpVSJlPinl2SEFOZkhKWpFnmrmHe3FaZlBGua1SLQD-ejKo"
)
ANOTHER_APPS = (
    "eJyrVgrxCdYrSy1SslJQMtIzUNJRAItkpqTmlWSmZUIkElNyM-Myi0uKEkvyi2BKilOyEwsKMlOACgxNDCDACCqXWlGQWZQKlLEwA0pBBUsyc0FChuZQxTDx4sx0kCUZ"
    "4folhlUVlv6FuX6GHhHe*mn*Tk7hyQHBhZnFKQYhpiXa*d7Zqfk5SYbltkq1AEUNNas_"
)


class Clock:
    """Unix seconds that change only by a test."""

    def __init__(self, at: float = MINTED + 1) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def usersigs(clock: Clock | None = None, key: str = KEY) -> UserSigs:
    return UserSigs(sdkappid=SDKAPPID, key=key, now=clock or Clock())


def refusal(usersig: str, identifier: str = ADMIN, at: float = MINTED + 1) -> int:
    """The code that a signature is refused with; 0: it is good."""
    try:
        usersigs(Clock(at)).check(usersig, identifier)
    except ProblemError as error:
        return error.problem.code
    return 0


def pack(text: bytes) -> str:
    """Text of claims as a UserSig."""
    return base64.b64encode(zlib.compress(text)).decode().translate(str.maketrans("+/=", "*-_"))


def claims(**other: Any) -> bytes:
    """Claims that are signed as they should be, with some put otherwise afterwards (`expire` for
    "TLS.expire"); None: left out.
    """
    proper = {
        "ver": "2.0",
        "identifier": ADMIN,
        "sdkappid": SDKAPPID,
        "expire": 86_400,
        "time": MINTED,
        "sig": _signature(),
    }
    given = {f"TLS.{name}": value for name, value in (proper | other).items() if value is not None}
    return json.dumps(given).encode()


def _signature(life: object = 86_400, minted: object = MINTED) -> str:
    lines = f"TLS.identifier:{ADMIN}\nTLS.sdkappid:{SDKAPPID}\nTLS.time:{minted}\nTLS.expire:{life}\n"
    return base64.b64encode(hmac.digest(KEY.encode(), lines.encode(), hashlib.sha256)).decode()


@pytest.mark.parametrize("usersig", [V1, V2, V3], ids=["python", "180 days", "go"])
def test_good_ones_pass_however_they_are_packed(usersig: str) -> None:
    assert refusal(usersig) == 0


def test_what_the_old_key_signed_is_good_while_it_is_set() -> None:
    """Signatures of both keys are good, others are not."""
    changing = UserSigs(sdkappid=SDKAPPID, key="n" * 64, old_key=KEY, now=Clock())
    changing.check(V1, ADMIN)
    with pytest.raises(ProblemError):
        UserSigs(sdkappid=SDKAPPID, key="n" * 64, now=Clock()).check(V1, ADMIN)
    UserSigs(sdkappid=SDKAPPID, key=KEY, old_key="n" * 64, now=Clock()).check(V1, ADMIN)
    with pytest.raises(ProblemError):
        changing.check(WRONG_KEY, ADMIN)


@pytest.mark.parametrize(
    "odd",
    [
        *(
            {"time": number}
            for number in (1e300, -1, 2**53, 2**70, "9" * 16, "-1", "\u0661", 1.5, True, None, list[str]())
        ),
        *({"expire": number} for number in (0, "0", 1e300, -1, 2**53, "9" * 16, 1.5, True, None, dict[str, str]())),
        *({"sdkappid": number} for number in (1e300, -1, 2**53, str(SDKAPPID) + " ", 1.5, None)),
        *({name: text} for name in ("identifier", "sig", "ver") for text in ("\ud800", 1, None, list[str]())),
    ],
)
def test_odd_claims_are_refused_without_a_fault(odd: dict[str, Any]) -> None:
    assert refusal(pack(claims(**odd))) != 0


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "9" * 3000, "1e-999", '"1e9"'])
def test_numbers_that_python_does_not_take_are_refused_without_a_fault(number: str) -> None:
    for name in ("time", "expire", "sdkappid"):
        text = claims(**{name: "HERE"}).replace(b'"HERE"', number.encode())
        assert refusal(pack(text)) != 0


def test_the_mac_is_that_of_the_published_vectors() -> None:
    """The key is the text of its 64 digits, and `time` stands before `expire`."""
    assert unpack(V1).expected(KEY.encode()) == base64.b64encode(
        bytes.fromhex("1e999c000cb2da506f1f1b25fa5d139a9453ef0d08a3b80305175432d34aa04a")
    )
    assert unpack(V2).expected(KEY.encode()) == base64.b64encode(
        bytes.fromhex("cad5d8443a609097a64fc71bbef548992fb7137d834997f914c8d510c7b4add5")
    )


@pytest.mark.parametrize(
    ("usersig", "code"),
    [
        ("", 70002),
        (V1[:-20], 70003),
        (V1[:-1], 70003),
        (WRONG_KEY, 70009),
        (ALICES, 70013),
        (ANOTHER_APPS, 70014),
    ],
    ids=["empty", "20 short", "1 short", "wrong key", "another's", "another app's"],
)
def test_each_fault_has_its_code(usersig: str, code: int) -> None:
    assert refusal(usersig) == code


@pytest.mark.parametrize(("at", "code"), [(MINTED - 10**6, 0), (V1_ENDS, 0), (V1_ENDS + 0.9, 0), (V1_ENDS + 1, 70001)])
def test_it_is_good_up_to_and_including_its_last_second(at: float, code: int) -> None:
    """It is good a little before it was made, since clocks differ."""
    assert refusal(V1, at=at) == code


def test_the_first_fault_counts() -> None:
    """App, identifier, expiry, signature, in this order."""
    assert refusal(ANOTHER_APPS, "alice", V1_ENDS + 1) == 70014
    assert refusal(WRONG_KEY, "alice", V1_ENDS + 1) == 70013
    assert refusal(WRONG_KEY, at=V1_ENDS + 1) == 70001


def test_claims_may_be_numbers_or_their_digits() -> None:
    assert refusal(pack(claims())) == 0
    assert refusal(pack(claims(sdkappid=str(SDKAPPID), time=str(MINTED), expire="86400"))) == 0


@pytest.mark.parametrize(
    "given",
    [
        {"ver": "1.0"},
        {"ver": 2.0},
        {"ver": None},
        {"identifier": None},
        {"identifier": 5},
        {"sdkappid": None},
        {"sdkappid": "x"},
        {"sdkappid": -1},
        {"sdkappid": 1.5},
        {"sdkappid": True},
        {"sdkappid": "\u0661"},
        {"time": None},
        {"time": -1},
        {"time": 10**400},
        {"expire": None},
        {"expire": 0, "sig": _signature(life=0)},
        {"expire": "0", "sig": _signature(life=0)},
        {"expire": -5, "sig": _signature(life=-5)},
        {"sig": None},
        {"sig": 7},
        {"userbuf": "YWJj"},
        {"userbuf": ""},
    ],
)
def test_claims_that_are_missing_or_make_no_sense_are_malformed(given: dict[str, Any]) -> None:
    assert refusal(pack(claims(**given))) == 70003


@pytest.mark.parametrize("sig", ["", "x", "\u00e9", _signature()[:-1], _signature().lower()])
def test_a_signature_that_is_not_that_of_the_claims_is_wrong(sig: str) -> None:
    assert refusal(pack(claims(sig=sig))) == 70009


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b'{"TLS.ver":"\\ud800"}',
        b'{"TLS.ver":' + b"[" * 3000,
        claims() + b"x",
    ],
)
def test_what_is_no_object_of_claims_is_malformed(text: bytes) -> None:
    assert refusal(pack(text)) == 70003


@pytest.mark.parametrize(
    "usersig",
    [
        V1.translate(str.maketrans("*-_", "+/=")),  # standard base64
        base64.urlsafe_b64encode(zlib.compress(claims())).decode(),  # another alphabet with the same characters
        base64.b64encode(claims()).decode().replace("=", "_"),  # not deflated
        pack(claims()) + "____",
        " " + V1,
        V1 + "\n",
        V1[:50] + "_" + V1[51:],
        "\u0663" + V1[1:],
        "_",
        "*" * (MAX_TEXT_BYTES + 4),
    ],
)
def test_what_is_not_written_in_the_alphabet_is_malformed(usersig: str) -> None:
    assert refusal(usersig) == 70003


def test_one_stream_and_nothing_behind_it() -> None:
    twice = base64.b64encode(zlib.compress(claims()) + zlib.compress(claims())).decode()
    assert refusal(twice.translate(str.maketrans("+/=", "*-_"))) == 70003


@pytest.mark.parametrize(
    ("spaces", "code"), [(MAX_CLAIMS_BYTES - len(claims()), 0), (MAX_CLAIMS_BYTES - len(claims()) + 1, 70003)]
)
def test_claims_have_at_most_4_kib(spaces: int, code: int) -> None:
    assert refusal(pack(claims() + b" " * spaces)) == code


def test_a_small_text_that_inflates_without_end_is_cut_short() -> None:
    """It unpacks to a thousand times its size, which must never be in memory."""
    bomb = pack(b"\0" * 1_400_000)
    assert len(bomb) <= MAX_TEXT_BYTES
    assert refusal(bomb) == 70003


@given(place=st.integers(0, len(V1) - 1), char=st.characters(codec="utf-8"))
def test_no_changed_character_passes(place: int, char: str) -> None:
    """Each of them is just a refusal."""
    changed = V1[:place] + char + V1[place + 1 :]
    assert (refusal(changed) == 0) == (changed == V1 or unpack_or_none(changed) == unpack(V1))


@given(st.binary(max_size=300))
def test_whatever_is_packed_is_refused(text: bytes) -> None:
    assert refusal(pack(text)) == 70003


def unpack_or_none(usersig: str) -> object:
    try:
        return unpack(usersig)
    except ProblemError:
        return None


# Remembered ones


def test_one_that_is_remembered_still_ends() -> None:
    clock = Clock(V1_ENDS + 0.9)
    checker = usersigs(clock)
    checker.check(V1, ADMIN)
    checker.check(V1, ADMIN)
    clock.at = V1_ENDS + 1
    with pytest.raises(ProblemError, match="expired"):
        checker.check(V1, ADMIN)


def test_one_that_is_remembered_is_nobody_elses() -> None:
    checker = usersigs()
    checker.check(V1, ADMIN)
    with pytest.raises(ProblemError, match="another identifier"):
        checker.check(V1, "alice")


def test_a_bad_one_is_bad_each_time() -> None:
    checker = usersigs()
    for _ in range(3):
        with pytest.raises(ProblemError, match="verification Failed"):
            checker.check(WRONG_KEY, ADMIN)


def test_only_so_many_are_remembered() -> None:
    checker = usersigs()
    for life in range(1, MAX_KNOWN + 100):
        checker.check(pack(claims(expire=life, sig=_signature(life=life))), ADMIN)
    assert len(checker._known) == MAX_KNOWN
