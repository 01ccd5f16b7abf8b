"""Rooms that strangers, members and managers try."""

import pytest

from readstate.settings import Settings
from tests.security.rooms.answers import OF_TWO
from tests.support.imkit import Imkit
from tests.support.tencent_callbacks import with_callbacks


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A service that also takes Tencent's callbacks."""
    return with_callbacks(settings)


@pytest.fixture
async def world(imkit: Imkit) -> Imkit:
    """Users ann, ben, cid and eve.

    Ann owns room r, ben manages it, cid is in it. Eve is in no room.
    """
    for user in ("ann", "ben", "cid", "eve"):
        await imkit.sign_in(user)
    await imkit.room("r", "ann", "ben", "cid", owner="ann", managers=["ben"])
    await imkit.post("r", "ann", "m1")
    return imkit


@pytest.fixture
async def probed(world: Imkit) -> Imkit:
    """Beside room r a direct one, of ann and ben."""
    await world.room(OF_TWO, "ann", "ben", tags=("direct",))
    await world.post(OF_TWO, "ann", "d1")
    return world
