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
sys.path[:0] = [str(CHECKOUT / "tools"), str(CHECKOUT / "tests"), str(CHECKOUT / ".build" / "collections")]

from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.terminal import text_table  # noqa: E402
from bench.fleet_rig import Fleet, check_limits, licenses_of  # noqa: E402
from bench.run import Execution, plays_of  # noqa: E402
from hosts.image import Missing, make  # noqa: E402
from hosts.machines import Site, podman  # noqa: E402
from support.lab import USERS, Run  # noqa: E402

OURS, HAND, FLOOR, HAND_FLOOR = "collection", "by hand", "pings", "pings by hand"
BY_HAND = str(CHECKOUT / "tools" / "bench" / "by_hand.yml")
FIRST, AGAIN = "first run", "unchanged run"
# Seconds for one run of a playbook.
LONGEST = 1500
_SET_CHILD_SUBREAPER = 36


@dataclass
class Measured:
    """What was measured of one kind of run, one value per repetition.

    :ivar wall: seconds until ansible-playbook ended
    :ivar cpu: seconds of processor time, user and system, of it and all that it started here
    :ivar hosts: seconds of processor time on all hosts
    :ivar without: seconds that a client of each pair had no license server
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    hosts: list[float] = field(default_factory=list)
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
        self.loads: list[float] = []

    def run(self, pairs: int, who: str, kind: str, playbook: str, *options: str) -> Measured:
        """Run a playbook to its end and keep its times; stop everything where it fails or takes too long."""
        if sockets := list(self.fleet.folder.glob("ansible/cp/*")):
            sys.exit(f"Connections of the last run are still there: {sockets}")
        hosts, before = self.fleet.processor_seconds(), resource.getrusage(resource.RUSAGE_CHILDREN)
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
        if kind == AGAIN and Run(code, output).changed:
            sys.exit(f"{who}: the second run changed something:\n{output}")
        measured = self.results.setdefault((pairs, who, kind), Measured())
        measured.wall.append(took)
        measured.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        measured.hosts.append(self.fleet.processor_seconds() - hosts)
        self.loads.append(os.getloadavg()[0])
        print(
            f"{pairs:3} pairs  {who:<11} {kind:<14} {took:7.1f} s  CPU {measured.cpu[-1]:6.1f} s, "
            f"hosts {measured.hosts[-1]:6.1f} s  load {self.loads[-1]:.1f}",
            flush=True,
        )
        return measured

    def migrate(self, pairs: int, who: str, playbook: str) -> None:
        """Migrate from the start, check where that ended, and run the same again."""
        self.fleet.put_back(pairs)
        with Watch(self.fleet, pairs) as watch:
            measured = self.run(pairs, who, FIRST, playbook)
        measured.without.append(watch.without)
        print(f"           without a license server: {', '.join(f'{one:.1f}' for one in watch.without)} s", flush=True)
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
                sys.exit(
                    f"Pair {number}: {', '.join(wrong)} are not what they should be:\n{json.dumps(seen, indent=1)}"
                )


def middle(bench: Bench, pairs: int, kind: str, what: str) -> dict[str, float]:
    """The medians of one measure, by who was measured."""
    found = {who: bench.results[pairs, who, kind] for who in (OURS, HAND, FLOOR)}
    return {who: statistics.median(getattr(measured, what)) for who, measured in found.items()}


def times(bench: Bench) -> str:
    """How long the runs took."""
    rows = []
    for pairs, kind in kinds(bench):
        wall = middle(bench, pairs, kind, "wall")
        seconds = [f"{wall[who]:.1f}" for who in (OURS, HAND, FLOOR)]
        a_pair = [f"{wall[who] / pairs:.2f}" for who in (OURS, HAND)]
        ratios = [f"{wall[OURS] / wall[who]:.2f}" for who in (HAND, FLOOR)]
        rows.append([pairs, kind, len(bench.results[pairs, OURS, kind].wall), *seconds, *a_pair, *ratios])
    head = ("Pairs", "Run", "Runs", "Collection", "By hand", "Pings", "Collection/pair", "By hand/pair")
    return text_table((*head, "to by hand", "to pings"), rows)


def processors(bench: Bench) -> str:
    """What a pair took from the processors."""
    rows = []
    for pairs, kind in kinds(bench):
        here, there = (middle(bench, pairs, kind, what) for what in ("cpu", "hosts"))
        seconds = [f"{one[who] / pairs:.2f}" for one in (here, there) for who in (OURS, HAND, FLOOR)]
        ratio = (here[OURS] + there[OURS]) / (here[HAND] + there[HAND])
        rows.append([pairs, kind, *seconds, f"{here[OURS] / here[HAND]:.2f}", f"{ratio:.2f}"])
    head = ("Pairs", "Run", "Collection", "By hand", "Pings", "Hosts, collection", "by hand", "pings")
    return text_table((*head, "to by hand", "with hosts"), rows)


def gaps(bench: Bench) -> str:
    """The seconds that clients had no license server."""
    rows = []
    for pairs in sorted({key[0] for key in bench.results}):
        found = {who: [one for run in bench.results[pairs, who, FIRST].without for one in run] for who in (OURS, HAND)}
        half = {who: statistics.median(values) for who, values in found.items()}
        most = {who: max(values) for who, values in found.items()}
        seconds = [f"{one[who]:.1f}" for one in (half, most) for who in (OURS, HAND)]
        rows.append([pairs, *seconds, f"{half[OURS] / half[HAND]:.2f}"])
    return text_table(("Pairs", "Collection", "By hand", "Collection, longest", "By hand, longest", "to by hand"), rows)


def kinds(bench: Bench) -> list[tuple[int, str]]:
    return [(pairs, kind) for pairs in sorted({key[0] for key in bench.results}) for kind in (FIRST, AGAIN)]


def about(bench: Bench, forks: int) -> str:
    """What was measured on what."""
    ansible, python = version("ansible-core"), platform.python_version()
    lines = [
        f"Medians. {os.cpu_count()} cores for the controller and all hosts; ansible-core {ansible}, Python {python},",
        f"{podman('--version')}, forks {forks}, pipelining.",
        f"Load average {min(bench.loads):.0f} to {max(bench.loads):.0f} while it was measured.",
        "Modules that the runs of a pair start on its hosts:",
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
        check_limits(max(options.pairs))
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
        print(f"\nSeconds for all pairs\n\n{times(bench)}\n\nSeconds of processor time a pair\n\n{processors(bench)}")
        print(
            f"\nSeconds that a pair's clients had no license server\n\n{gaps(bench)}\n\n{about(bench, options.forks)}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
