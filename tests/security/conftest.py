"""The whole service in the test's own process and loop, as the contract tests have it."""

from tests.contract.conftest import imkit, rocketchat, settings

__all__ = ["imkit", "rocketchat", "settings"]
