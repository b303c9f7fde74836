# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time migrations of many pairs of hosts over SSH beside the playbook by_hand.yml and beside pings of the same shape.

Everything is measured in one session, by turns, from the same start, and both playbooks have to end in the same state.
docs/bench.md has the table and says what is in it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import platform
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / "tests"), str(CHECKOUT / ".build" / "collections")]

from ansible_collections.aims.licensing.plugins.plugin_utils._tables import text_table  # noqa: E402
from fleet_rig import Fleet, licenses_of  # noqa: E402
from hosts.image import Missing, make  # noqa: E402
from hosts.machines import Site, podman  # noqa: E402
from lab import USERS  # noqa: E402
from run import Execution, plays_of  # noqa: E402

OURS, HAND, FLOOR, HAND_FLOOR = "collection", "by hand", "pings", "pings by hand"
BY_HAND = str(CHECKOUT / "tests" / "bench" / "by_hand.yml")
FIRST, AGAIN = "first run", "unchanged run"
# Seconds for one run of a playbook.
LONGEST = 1500
_SET_CHILD_SUBREAPER = 36


@dataclass
class Measured:
    """What was measured of one kind of run, one value per repetition.

    :ivar wall: seconds until ansible-playbook ended
    :ivar cpu: seconds of processor time, user and system, of it and all that it started here
    :ivar without: seconds that a client of each pair had no license server
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    without: list[list[float]] = field(default_factory=list)


class Watch:
    """The clients of the first pairs, in a process of their own."""

    def __init__(self, fleet: Fleet, pairs: int) -> None:
        self._fleet, self._pairs = fleet, pairs
        self.without: list[float] = []

    def __enter__(self) -> Watch:
        watch = [sys.executable, str(Path(__file__).with_name("watch.py"))]
        self._process = subprocess.Popen(watch, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        both = [self._fleet.pair(number) for number in range(1, self._pairs + 1)]
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([[one.address for one in pair] for pair in both]) + "\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != "held\n":
            sys.exit("The clients get no seats at the sources.")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_more: object) -> None:
        if kind is not None:
            self._process.kill()
        output, _error = self._process.communicate(timeout=120)
        if kind is None:
            self.without = json.loads(output)
            if None in self.without:
                sys.exit(f"Clients got no seats at their targets: {self.without}")


class Bench:
    """Runs playbooks on the first pairs of a fleet, and keeps what they took."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.results: dict[tuple[int, str, str], Measured] = {}
        self.shapes: dict[tuple[str, str], tuple[int, list[Execution]]] = {}

    def run(self, pairs: int, who: str, kind: str, playbook: str, *options: str) -> Measured:
        """Run a playbook to its end and keep its times; stop everything where it fails or takes too long."""
        for socket in self.fleet.folder.glob("ansible/cp/*"):
            sys.exit(f"A connection of the last run is still there: {socket}")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        run = self.fleet.start(playbook, *options)
        try:
            code = run.process.wait(timeout=LONGEST)
            took = time.perf_counter() - started
            # closes the connections, which belong to what the run took from the processor
            output = run.wait().output
        except BaseException:
            run.kill()
            raise
        _reap()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if code:
            sys.exit(f"{who}, {kind}, {pairs} pairs: ansible-playbook ended with {code}:\n{output}")
        if kind == AGAIN and "changed=0" not in output or kind == AGAIN and _changes(output):
            sys.exit(f"{who}: the second run changed something:\n{output}")
        measured = self.results.setdefault((pairs, who, kind), Measured())
        measured.wall.append(took)
        measured.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        print(f"{pairs:3} pairs  {who:<14} {kind:<14} {took:7.1f} s  {measured.cpu[-1]:7.1f} s CPU", flush=True)
        return measured

    def migrate(self, pairs: int, who: str, playbook: str) -> None:
        """Migrate from the start, check where that ended, and run the same again."""
        self.fleet.put_back(pairs)
        with Watch(self.fleet, pairs) as watch:
            measured = self.run(pairs, who, FIRST, playbook)
        measured.without.append(watch.without)
        check(self.fleet, pairs)
        self.run(pairs, who, AGAIN, playbook)
        check(self.fleet, pairs)

    def shape(self) -> None:
        """Count the modules that one pair's runs start on its hosts, and write as many pings."""
        self.fleet.choose(1)
        for who, playbook, pings in ((OURS, "migrate", FLOOR), (HAND, BY_HAND, HAND_FLOOR)):
            self.fleet.put_back(1)
            for kind in (FIRST, AGAIN):
                run, executions = self.fleet.counted(1, playbook)
                self.shapes[who, kind] = plays_of(run), executions
                self._write_pings(self.pings(pings, kind), *self.shapes[who, kind])
            check(self.fleet, 1)

    def pings(self, who: str, kind: str) -> str:
        return str(self.fleet.folder / f"{who} {kind}.yml".replace(" ", "-"))

    def _write_pings(self, file: str, plays: int, executions: Sequence[Execution]) -> None:
        tasks: list[dict[str, Any]] = []
        for at, execution in enumerate(executions, 1):
            task: dict[str, Any] = {"name": f"Ping {at}", "ansible.builtin.ping": None}
            if execution.host.startswith("source"):
                task["delegate_to"] = "{{ aims_license_migrate_source }}"
            tasks.append(task)
        first = [{"name": f"Play {at}", "hosts": "all", "gather_facts": False} for at in range(1, plays)]
        last = {"name": f"Play {plays}", "hosts": "aims_license_targets", "gather_facts": False, "tasks": tasks}
        Path(file).write_text(yaml.safe_dump([*first, last], sort_keys=False), encoding="utf-8")

    def measure(self, pairs: int, repeat: int) -> None:
        """Measure everything for so many pairs, by turns."""
        self.fleet.choose(pairs)
        for at in range(repeat):
            turns = [(OURS, "migrate"), (HAND, BY_HAND)]
            for who, playbook in turns if at % 2 == 0 else reversed(turns):
                self.migrate(pairs, who, playbook)
                if who == OURS:
                    for kind in (FIRST, AGAIN):
                        self.run(pairs, FLOOR, kind, self.pings(FLOOR, kind))


def _changes(output: str) -> bool:
    return any(f"changed={number}" in output for number in range(1, 10))


def _reap() -> None:
    """Collect what was started by what has ended, so that its processor time counts."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def check(fleet: Fleet, pairs: int) -> None:
    """Stop unless every pair is where a migration shall bring it, by ``licman``, systemd and the ledger's tables."""
    transfers = fleet.transfers()
    for number, (source, target) in enumerate(fleet.states(pairs), 1):
        licenses = licenses_of(number)
        profiles = [(one["profile"], one["number"], one.get("default", False)) for one in licenses]
        numbers = {one["number"] for one in licenses}
        for seen, held in ((source, set()), (target, numbers)):
            wrong = []
            if {one["number"] for one in seen["licenses"] if one["status"] == "Active"} != held:
                wrong.append("licenses")
            if [(one["name"], one["license"], one["default"]) for one in seen["profiles"]] != profiles:
                wrong.append("profiles")
            if seen["users"] != USERS:
                wrong.append("users")
            if (seen["enabled"], seen["active"], seen["server"]["running"]) != ("enabled", "active", True):
                wrong.append("service")
            if seen["server"]["maintenance"] == (seen is target):
                wrong.append("maintenance mode")
            if any(transfers[one] != 1 for one in numbers):
                wrong.append("transfers")
            if wrong:
                sys.exit(f"Pair {number}: {', '.join(wrong)} are not what they should be:\n{json.dumps(seen, indent=1)}")


def table(bench: Bench) -> str:
    """The results, one row per number of pairs and kind of run."""
    rows = []
    for pairs in sorted({key[0] for key in bench.results}):
        for kind in (FIRST, AGAIN):
            wall, cpu = (
                {who: statistics.median(getattr(bench.results[pairs, who, kind], what)) for who in (OURS, HAND, FLOOR)}
                for what in ("wall", "cpu")
            )
            rows.append(
                [
                    pairs,
                    kind,
                    len(bench.results[pairs, OURS, kind].wall),
                    *(f"{wall[who]:.1f}" for who in (OURS, HAND, FLOOR)),
                    f"{wall[OURS] / wall[HAND]:.2f}",
                    f"{wall[OURS] / wall[FLOOR]:.2f}",
                    f"{wall[OURS] / pairs:.2f}",
                    *(f"{cpu[who] / pairs:.2f}" for who in (OURS, HAND, FLOOR)),
                    f"{cpu[OURS] / cpu[HAND]:.2f}",
                ]
            )
    head = ("Pairs", "Run", "Times", "Collection", "By hand", "Pings", "to hand", "to pings", "a pair")
    return text_table((*head, "CPU a pair", "By hand", "Pings", "to hand"), rows)


def gaps(bench: Bench) -> str:
    """The seconds that clients had no license server."""
    rows = []
    for pairs in sorted({key[0] for key in bench.results}):
        found = {who: bench.results[pairs, who, FIRST].without for who in (OURS, HAND)}
        middle = {who: statistics.median(one for run in runs for one in run) for who, runs in found.items()}
        most = {who: max(one for run in runs for one in run) for who, runs in found.items()}
        ratio = f"{middle[OURS] / middle[HAND]:.2f}"
        rows.append([pairs, *(f"{value:.1f}" for both in (middle, most) for value in both.values()), ratio])
    return text_table(("Pairs", "Collection", "By hand", "Collection, most", "By hand, most", "to hand"), rows)


def about(bench: Bench, forks: int) -> str:
    """What was measured on what."""
    ansible, python = version("ansible-core"), platform.python_version()
    lines = [
        f"Seconds, medians. {os.cpu_count()} cores for the controller and all hosts; ansible-core {ansible}, Python {python},",
        f"{podman('--version')}, forks {forks}, pipelining. Modules that a pair's runs start on its hosts:",
    ]
    for (who, kind), (_plays, executions) in bench.shapes.items():
        lines.append(f"  {who}, {kind}: {len(executions)}")
    return "\n".join(lines)


@contextlib.contextmanager
def _collecting() -> Iterator[None]:
    """Be the parent of whatever is left by a process that ends: of SSH's lasting connections."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    yield


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, nargs="+", default=[1, 5, 10, 25], metavar="N", help="how many at once")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="repetitions (%(default)s)")
    parser.add_argument("--forks", type=int, default=5, metavar="N", help="of ansible-playbook (%(default)s)")
    options = parser.parse_args()
    # The hosts are taken away on Ctrl-C; a runner that gives up says it with the other signal.
    signal.signal(signal.SIGTERM, _stop)
    try:
        image = make()
    except Missing as missing:
        sys.exit(str(missing))
    with tempfile.TemporaryDirectory(prefix="aims-bench-") as folder, Site(Path(folder) / "ssh", image) as site:
        fleet = Fleet(site, Path(folder) / "fleet", max(options.pairs), options.forks)
        fleet.prepare()
        bench = Bench(fleet)
        with _collecting():
            bench.shape()
            for pairs in options.pairs:
                # a large fleet takes minutes, and its many hosts are repetitions of each other
                bench.measure(pairs, options.repeat if pairs <= 5 else min(options.repeat, 2 if pairs <= 10 else 1))
        print(f"\n{table(bench)}\n\nWithout a license server\n\n{gaps(bench)}\n\n{about(bench, options.forks)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
