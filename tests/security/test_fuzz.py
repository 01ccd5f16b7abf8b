"""No request and no frame makes the service fail: right ones, nearly right ones and bytes that are
neither.

A failure names its case as SEED:NUMBER; `pytest tests/security/test_fuzz.py --fuzz SEED:NUMBER`
sends that one alone.
"""

import pytest

from tests.security.fuzz.run import NO_LIMITS, fresh_seed, fuzzing

SEED = "1"  # of the runs that every change must pass; the long ones have another one each time

pytestmark = pytest.mark.timeout(1_800)


@pytest.fixture
def seed(request: pytest.FixtureRequest, full: bool) -> str:
    given = str(request.config.getoption("--fuzz")).partition(":")[0]
    return given or (fresh_seed() if full else SEED)


@pytest.fixture
def only(request: pytest.FixtureRequest) -> int | None:
    number = str(request.config.getoption("--fuzz")).partition(":")[2]
    return int(number) if number else None


async def test_no_request_makes_it_fail(full: bool, seed: str, only: int | None) -> None:
    """Any method, path, header, body and dialect, mostly with right credentials.

    Every call is reached, and done.
    """
    async with fuzzing(seed, workers=2, **NO_LIMITS) as fuzz:
        await fuzz.requests(170_000 if full else 4_000, only)
        if only is None:
            assert await fuzz.unreached() == []


async def test_no_frame_makes_it_fail(full: bool, seed: str, only: int | None) -> None:
    """Over websockets and long-polling; requests of a session come to any of three workers."""
    async with fuzzing(seed, workers=3, **NO_LIMITS) as fuzz:
        await fuzz.websockets(15_000 if full else 300, only)
        await fuzz.polling(15_000 if full else 300, only)
        assert fuzz.reached["socket"] > 0 or only is not None
        assert fuzz.reached["polling"] > 0 or only is not None


async def test_nor_where_the_limits_are_reached(full: bool, seed: str, only: int | None) -> None:
    """With the default limits."""
    async with fuzzing(seed, workers=2) as fuzz:
        await fuzz.requests(20_000 if full else 600, only)
        await fuzz.websockets(2_000 if full else 100, only)
