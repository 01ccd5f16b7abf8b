"""A room for bad calls."""

import pytest

from tests.support.imkit import Imkit


@pytest.fixture
async def al(imkit: Imkit) -> Imkit:
    """Al is in room r, where bo has posted m1."""
    await imkit.room("r", "al", "bo", tags=("work",), owner="al")
    await imkit.post("r", "bo", "m1")
    await imkit.sign_in("al")
    return imkit
