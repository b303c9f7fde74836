# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many inputs each format is given, and what every input has to end in.

Without ``AIMS_FUZZ`` a bounded number, drawn without chance; with ``AIMS_FUZZ=100000`` at least so many for
each format, other ones in every run.
"""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Callable, Union

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from hypothesis import HealthCheck, Phase, settings

ASKED = int(os.environ.get("AIMS_FUZZ") or 0)
# Seconds that one input may take, on a host that has other things to do too.
PATIENCE = 20.0
# Characters that one part of a message may have: a path or two, and what was wrong in short.
LONGEST = 3001

# format -> [inputs, those of them that were refused]
COUNTS: dict[str, list[int]] = {}


def runs(bounded: int, batch: int = 1, spare: float = 0.1, **more: Any) -> settings:
    """Return settings for a test that is given several inputs in each of its runs.

    :param bounded: inputs in the bounded run
    :param batch: inputs in each run of the test
    :param spare: how many more than are asked for are drawn in the long run, as a share: of some no input can be made
    """
    inputs = math.ceil(ASKED * (1 + spare)) if ASKED else bounded
    return settings(
        max_examples=-(-inputs // batch),
        deadline=None,
        derandomize=not ASKED,
        print_blob=True,
        phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        **({} if ASKED else {"database": None}),
        **more,
    )


def count(format: str, refused: bool = False) -> None:
    """Count an input."""
    counted = COUNTS.setdefault(format, [0, 0])
    counted[0] += 1
    counted[1] += refused


@contextmanager
def patience() -> Iterator[None]:
    """End what hangs."""

    def end(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"an input took more than {PATIENCE:g} seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


Outcome = Union[LicensingError, Any]


def give(format: str, call: Callable[[], Any]) -> Outcome:
    """Count an input; return what the call makes of it, or its refusal. Anything else that it raises is a defect."""
    try:
        with patience():
            done = call()
    except LicensingError as error:
        check_told(error)
        count(format, refused=True)
        return error
    count(format)
    return done


def check_told(error: LicensingError) -> None:
    """Assert that a refusal can be shown: it says something, in a bounded number of characters that can be written."""
    assert error.problems
    for problem in error.problems:
        assert problem.what
        for part in (problem.what, problem.where, problem.todo):
            assert len(part) <= LONGEST, f"{len(part)} characters: {part[:200]}"
            assert all(letter.isprintable() or letter in "\n\t" for letter in part), repr(part)
