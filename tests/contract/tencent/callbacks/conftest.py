"""A service that takes callbacks, with the tokens of one app."""

import asyncio
from collections.abc import Iterator

import pytest

from readstate.settings import Settings
from tests.support.imkit import Imkit
from tests.support.tencent_callbacks import Tencent, with_callbacks


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_callbacks(settings)


@pytest.fixture
def tencent(imkit: Imkit) -> Tencent:
    """Tencent IM and an empty service."""
    return Tencent(imkit)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """For tests that share a service."""
    with asyncio.Runner() as runner:
        yield runner
