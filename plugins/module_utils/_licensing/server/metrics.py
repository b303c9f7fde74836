# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The license server's metrics in Prometheus text format."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

from .demand import Demand
from .history import History

# What follows the name, a suffix or labels; and the value.
Sample = tuple[str, float]
# Name, kind, help, samples.
Family = tuple[str, str, str, Iterable[Sample]]

_SIZES = (1, 4, 16, 64, 256)
_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


class Histogram:
    """A histogram with fixed upper bounds."""

    def __init__(self, bounds: Iterable[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * len(self.bounds)
        self.count = 0
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        self.sum += value
        for at, bound in enumerate(self.bounds):
            if value <= bound:
                self.counts[at] += 1


class Metrics:
    """The counters of a running server. They start at zero.

    :ivar takes: number by result: ``granted``, or the refusal's code
    :ivar revoked: seats that ended because their license is not served
    :ivar usage_failures: writes of the usage log that failed
    :ivar demand: what was asked for and not there
    :ivar history: the last 24 hours, which outlive a restart
    """

    def __init__(self) -> None:
        self.takes: dict[str, int] = {"granted": 0}
        self.heartbeats: dict[str, int] = {"kept": 0}
        self.releases: dict[str, int] = {"released": 0, "not_held": 0}
        self.expired = 0
        self.revoked = 0
        self.failures = 0
        self.usage_failures = 0
        self.sizes = Histogram(_SIZES)
        self.seconds = Histogram(_SECONDS)
        self.demand = Demand()
        self.history = History(time.time)

    def batch(self, size: int, seconds: float, recorded: bool) -> None:
        """Count a transaction of the seat store."""
        self.sizes.add(size)
        self.seconds.add(seconds)
        self.failures += not recorded


def render(families: Iterable[Family]) -> str:
    """Render families in their text format."""
    lines = []
    for name, kind, text, samples in families:
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{rest} {_number(value)}" for rest, value in samples]
    return "\n".join(lines) + "\n"


def labels(**values: str) -> str:
    """Return labels as they follow a name. Values may have any characters."""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in values.items()) + "}"


def labelled(label: str, values: Mapping[str, float]) -> Iterator[Sample]:
    """Yield a sample for each value of a label."""
    for name, value in values.items():
        yield labels(**{label: name}), value


def histogram_samples(histogram: Histogram) -> Iterator[Sample]:
    """Yield the samples of a histogram."""
    for bound, count in zip(histogram.bounds, histogram.counts):
        yield f'_bucket{{le="{bound:g}"}}', count
    yield '_bucket{le="+Inf"}', histogram.count
    yield "_sum", histogram.sum
    yield "_count", histogram.count


def _number(value: float) -> str:
    # Times need all their digits.
    return str(int(value)) if value == int(value) else f"{value:.9g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
