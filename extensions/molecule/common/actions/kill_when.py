# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill_when.py HOME least|most COUNT: waits until a home has at least, or at most, so many nodelocks.

Then it kills what Ansible runs on this host at once, and prints what that was. A home that has no folder of nodelocks
yet has none. Ends by itself after two minutes.
"""

from __future__ import annotations

import contextlib
import operator
import os
import signal
import sys
import time
from pathlib import Path


def nodelocks(folder: Path) -> int:
    try:
        return sum(place.suffix == ".lock" for place in folder.iterdir())
    except FileNotFoundError:
        return 0


def modules() -> list[tuple[int, str]]:
    """The modules that Ansible runs here, by what their command lines name."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (place / "cmdline").read_bytes().split(b"\0")
            found += [(int(place.name), word.decode()) for word in words if b"/AnsiballZ_" in word][:1]
    return found


def main(home: str, which: str, count: int) -> int:
    until = time.monotonic() + 120
    compare = {"least": operator.ge, "most": operator.le}[which]
    while not compare(nodelocks(Path(home, "Nodelocks")), count):
        if time.monotonic() > until:
            return 1
    for process, name in modules():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
            print(f"killed {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
