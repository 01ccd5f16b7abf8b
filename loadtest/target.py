"""The service to load and the size of the world, from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

# For load tests: rates are counted as usual, and no load reaches these limits.
NO_RATE_LIMITS = {
    f"READSTATE_{name}": "10000000"
    for name in ("USER_RATE_LIMIT", "APP_RATE_LIMIT", "BACKEND_RATE_LIMIT", "ADDRESS_RATE_LIMIT")
} | {"READSTATE_ADDRESS_SOCKET_LIMIT": "1000000"}


class TargetError(Exception):
    """The environment does not name a service. The message says what is missing."""


@dataclass(frozen=True)
class Target:
    """Every field is read from LOAD_ and its name in capitals."""

    url: str
    api_key: str
    client_key: str
    rooms: int = 20  # rooms to read in, and as many again to chat in
    accounts: int = 300  # users who read or chat; at least as many as Locust's users
    rooms_each: int = 5  # rooms that each of them is in
    messages: int = 200  # posted into each room to read in before the start
    arrivals: float = 200.0  # open model: calls per second
    listener_rooms: int = 1_000_000  # rooms of each kind that a listener is in, at most all
    storm_every: float = float("inf")  # seconds after which all listeners are cut off, again and again

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Raises TargetError."""
        names = {field.name: f"LOAD_{field.name.upper()}" for field in fields(cls)}
        missing = [names[name] for name in ("url", "api_key", "client_key") if not environ.get(names[name])]
        if missing:
            raise TargetError(
                f"set {', '.join(missing)}: the address of a running service and its keys, as `make run` prints them"
            )
        kinds = {field.name: field.type for field in fields(cls)}
        given: dict[str, object] = {
            name: environ[variable] for name, variable in names.items() if environ.get(variable)
        }
        for name, text in given.items():
            kind = {"int": int, "float": float}.get(str(getattr(kinds[name], "__name__", kinds[name])), str)
            try:
                given[name] = kind(text)
            except ValueError:
                raise TargetError(f"{names[name]} must be a number, not {text!r}") from None
            if kind is not str and given[name] <= 0:  # type: ignore[operator]
                raise TargetError(f"{names[name]} must be above 0")
        return cls(**{**given, "url": str(given["url"]).rstrip("/")})  # type: ignore[arg-type]
