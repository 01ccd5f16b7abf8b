"""One call of this dialect, let in by the gateway."""

from typing import Any

from litestar import Request

from readstate.domain.read_state import ReadState


class Call(Request[Any, str, Any]):
    """A request of an administrator: `auth` is our name of the app."""

    @property
    def read_state(self) -> ReadState:
        return self.scope["services"].read_state  # type: ignore[typeddict-item, no-any-return]
