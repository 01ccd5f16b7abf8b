"""The numbers of a service at one moment, and what two moments say of the time between them."""

import http.client
from collections.abc import Iterator, Mapping
from time import monotonic
from urllib.parse import urlsplit

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from readstate.process.listener import StartError

WITHIN_S = 5.0

# A sample's name and its labels.
Labels = tuple[tuple[str, str], ...]


class Moment(Struct, frozen=True):
    """What /metrics said at `at_s` (monotonic)."""

    at_s: float
    samples: Mapping[tuple[str, Labels], float]

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples of a name that have these labels."""
        return sum(value for _, value in self.each(name, **labels))

    def each(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """The samples of a name that have these labels."""
        for (sample, pairs), value in self.samples.items():
            if sample == name and labels.items() <= dict(pairs).items():
                yield dict(pairs), value


class Between:
    """What has changed from one moment to a later one. Counters only rise."""

    def __init__(self, earlier: Moment, later: Moment) -> None:
        self.now = later
        self.seconds = max(later.at_s - earlier.at_s, 1e-6)
        self._changes = Moment(
            later.at_s,
            {
                # One that fell was begun again, by a restart.
                sample: value if value < earlier.samples.get(sample, 0) else value - earlier.samples.get(sample, 0)
                for sample, value in later.samples.items()
            },
        )

    def rate(self, name: str, **labels: str) -> float:
        """By how much a counter rose in a second."""
        return self._changes.total(name, **labels) / self.seconds

    def rates(self, name: str, label: str) -> dict[str, float]:
        """The rates by one label, the highest first; none of 0."""
        found: dict[str, float] = {}
        for labels, value in self._changes.each(name):
            found[labels[label]] = found.get(labels[label], 0.0) + value / self.seconds
        return dict(sorted(((key, rate) for key, rate in found.items() if rate), key=lambda item: -item[1]))

    def mean_s(self, histogram: str, **labels: str) -> float | None:
        """The mean of what a histogram of seconds has counted; None when it was nothing."""
        count = self._changes.total(f"{histogram}_count", **labels)
        return self._changes.total(f"{histogram}_sum", **labels) / count if count else None

    def quantile_s(self, histogram: str, share: float, **labels: str) -> float | None:
        """The bound of the bucket below which a share lies; None when nothing was counted."""
        buckets: dict[float, float] = {}
        for found, value in self._changes.each(f"{histogram}_bucket", **labels):
            bound = float(found["le"])
            buckets[bound] = buckets.get(bound, 0.0) + value
        most = max(buckets.values(), default=0.0)
        return next((bound for bound in sorted(buckets) if buckets[bound] >= share * most), None) if most else None


def moment(url: str) -> Moment:
    """What the service at `url` says of itself now. Raises StartError when it says nothing."""
    status, text = get(url, "/metrics")
    if status != 200 or "readstate_" not in text:
        raise StartError(
            f"no readstate gives its numbers at {url}/metrics (status {status}); "
            "give its settings, READSTATE_OPS_PORT too if it has one, or name its address with --url"
        )
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return Moment(monotonic(), samples)


def get(url: str, path: str) -> tuple[int, str]:
    """Status and text of a GET. Raises StartError when there is no answer."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=WITHIN_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise StartError(f"no service answers at {url} ({error}); start it, or name its address with --url") from None
    finally:
        connection.close()
