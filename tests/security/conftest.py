"""The service in the test's process, as in the contract tests."""

import pytest

from tests.contract.conftest import imkit, rocketchat, settings
from tests.support.servers import Server

__all__ = ["imkit", "rocketchat", "settings"]


@pytest.fixture(params=["server", "cluster"])
def nodes(request: pytest.FixtureRequest) -> list[Server]:
    """The servers of a store: one of the test's own, and then those of a cluster."""
    if request.param == "server":
        return [request.getfixturevalue("own_server")]
    nodes: list[Server] = request.getfixturevalue("cluster").nodes
    return nodes
