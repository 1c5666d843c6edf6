"""Counters in the text format of Prometheus."""

import threading
from collections import defaultdict
from collections.abc import Iterable

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Requests by method, route and answer, and how long they took."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self._sum_s: dict[str, float] = defaultdict(float)
        self._buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS_S) + 1))

    def observe(self, method: str, route: str, status: int, took_s: float) -> None:
        """Counts one answer; ``route`` is the pattern of the path, so that there are few."""
        with self._lock:
            self._requests[method, route, status] += 1
            self._sum_s[route] += took_s
            place = next((i for i, top in enumerate(BUCKETS_S) if took_s <= top), len(BUCKETS_S))
            self._buckets[route][place] += 1

    def lines(self) -> Iterable[str]:
        """The lines about requests."""
        with self._lock:
            requests = dict(self._requests)
            buckets = {route: list(counts) for route, counts in self._buckets.items()}
            sums = dict(self._sum_s)
        yield "# HELP worldreel_requests_total Answers by method, route and status."
        yield "# TYPE worldreel_requests_total counter"
        for (method, route, status), count in sorted(requests.items()):
            labels = f'method="{method}",route="{route}",status="{status}"'
            yield f"worldreel_requests_total{{{labels}}} {count}"
        yield "# HELP worldreel_request_seconds Time until the answer began."
        yield "# TYPE worldreel_request_seconds histogram"
        for route, counts in sorted(buckets.items()):
            total = 0
            for top, count in zip([*map(str, BUCKETS_S), "+Inf"], counts, strict=True):
                total += count
                yield f'worldreel_request_seconds_bucket{{route="{route}",le="{top}"}} {total}'
            yield f'worldreel_request_seconds_sum{{route="{route}"}} {sums[route]:.6f}'
            yield f'worldreel_request_seconds_count{{route="{route}"}} {total}'


def gauge(name: str, help_: str, values: dict[str, float]) -> Iterable[str]:
    """The lines of one gauge; ``values`` by label set, which is empty for a plain number."""
    yield f"# HELP {name} {help_}"
    yield f"# TYPE {name} gauge"
    for labels, value in values.items():
        yield f"{name}{{{labels}}} {value:g}" if labels else f"{name} {value:g}"
