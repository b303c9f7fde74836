# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault matrix: every failpoint, every kind of fault, every call, every channel; see docs/faults.md.

::

    python tests/faults/run.py             the whole matrix
    python tests/faults/run.py --bounded   some of each kind, evenly spread, and a kill at every failpoint
    python tests/faults/run.py --only activate/https
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faults.calls import CALLS, templates
from faults.cases import Case, Reference, bounded, cases_of, points
from faults.trials import Lab
from faults.world import World


def work(folder: Path, worlds: Mapping[str, World], share: list[tuple[Case, Reference]], out: Path) -> None:
    lab = Lab(folder, worlds)
    with out.open("w", encoding="utf-8") as stream:
        for case, reference in share:
            began = time.monotonic()
            broken = lab.broken(case, reference)
            stream.write(json.dumps([case.name, broken, time.monotonic() - began]) + "\n")
            stream.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bounded", action="store_true")
    parser.add_argument("--each", type=int, default=2, help="with --bounded: cases of each kind per call and channel")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    began = time.monotonic()
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="faults-", dir=base) as name:
        folder = Path(name)
        worlds = templates(folder / "start")
        lab = Lab(folder / "reference", worlds)
        todo: list[tuple[Case, Reference]] = []
        reached: set[str] = set()
        killed: set[str] = set()
        for call in CALLS:
            for channel in call.channels:
                reference = lab.reference(call, channel)
                reached |= {point for point, _what in [*reference.trace, *reference.served]}
                cases = list(cases_of(call, channel, reference))
                if options.bounded:
                    cases = bounded(cases, killed, options.each)
                todo += [(case, reference) for case in cases if options.only in case.name]
        # Kept out of what is looked through for garbage, the parent's memory is shared with its children.
        gc.freeze()
        workers = []
        for worker in range(options.workers):
            out = folder / f"worker{worker}.results"
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    work(folder / f"worker{worker}", worlds, todo[worker :: options.workers], out)
                    code = 0
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(code)
            workers.append((pid, out))
        results: list[Any] = []
        crashed = 0
        for pid, out in workers:
            crashed += os.waitpid(pid, 0)[1] != 0
            results += [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    return report(todo, results, points() - reached, crashed, time.monotonic() - began)


def report(todo: Any, results: list[Any], missed: set[str], crashed: int, seconds: float) -> int:
    """Print what was run and what is broken; return the exit code."""
    by = {case.name: case for case, _reference in todo}
    for title, key in (("call", lambda c: c.call.name), ("channel", lambda c: c.channel), ("fault", lambda c: c.kind)):
        counted = Counter(key(by[name]) for name, _broken, _seconds in results)
        print(f"{title:>8}: " + ", ".join(f"{what} {count}" for what, count in counted.items()))
    bad = [(name, broken) for name, broken, _seconds in results if broken]
    for name, broken in sorted(bad):
        print(f"BROKEN {name}")
        for line in broken:
            print(f"    {line}")
    if missed:
        print(f"failpoints that no call passes: {', '.join(sorted(missed))}")
    if len(results) != len(todo):
        print(f"{len(todo) - len(results)} cases were not run")
    print(f"{len(results)} cases, {len(bad)} broken, {seconds:.0f} s")
    return 0 if results and len(results) == len(todo) and not (bad or missed or crashed) else 1


if __name__ == "__main__":
    sys.exit(main())
