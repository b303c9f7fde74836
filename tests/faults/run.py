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
import ast
import gc
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import model
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import refuse
from children import Cut, Fault, Line, Outcome, Service, Trace, fits, record, run, spawn, wait
from world import CALLS, EMBEDDED, NUMBERS, OFFLINE, SERVICE, Call, Way, World, templates

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
DAY = timedelta(days=1)
# Each of these is followed by a reply of the authority, or by a response file of it.
_ASKED = {EMBEDDED: "channel.embedded.send", SERVICE: "channel.https.send", OFFLINE: "ledger.committed"}
CUTS = {"reply lost": 0.0, "reply truncated": 0.6}


@dataclass(frozen=True)
class Case:
    """One fault in one call.

    :ivar kind: of the fault
    :ivar where: the point, or the exchange, in words
    :ivar fault: what befalls the host's process
    :ivar served: what befalls the authority's service
    :ivar cut: what befalls replies
    :ivar skew: how far the host's clock is ahead when the call is made again; without a fault, from the beginning
    :ivar dies: whether the first of two runs is killed where it stands, or else goes on
    """

    call: Call
    channel: str
    kind: str
    where: str
    fault: Fault | None = None
    served: Fault | None = None
    cut: Cut | None = None
    skew: timedelta = timedelta()
    dies: bool = False

    @property
    def umask(self) -> int:
        # the most open and the strictest there are, by turns
        return 0o077 if zlib.crc32(self.name.encode()) % 2 else 0

    @property
    def name(self) -> str:
        return f"{self.call.name}/{self.channel}: {self.kind} at {self.where}"


@dataclass(frozen=True)
class Reference:
    """What a call does without a fault."""

    trace: Trace
    served: Trace
    shape: Mapping[str, Any]
    exchanges: int


class Lab:
    """Makes calls in copies of a world, and looks at what became of it."""

    def __init__(self, folder: Path, worlds: Mapping[str, World]) -> None:
        self.folder = folder
        self.worlds = worlds
        folder.mkdir(parents=True)

    @contextmanager
    def _reached(self, way: Way, world: World, served: Fault | None = None, cut: Cut | None = None) -> Iterator[Way]:
        """Bring up what a way leads to: the service, and a line before it."""
        service = line = None
        try:
            if way.channel == SERVICE:
                service = Service(world.serve, served.hook() if served else None)
                way = replace(way, port=service.port)
                if cut:
                    line = Line(service.port, cut)
                    way = replace(way, port=line.port)
            elif cut:
                way = replace(way, damage=damage(cut))
            yield way
        finally:
            for one in (line, service):
                if one is not None:
                    one.end()

    def _call(self, call: Call, world: World, way: Way, fault: Fault | None = None, umask: int = 0o022) -> Outcome:
        """Make a call in a child, with a fault or without."""
        hook = fault.hook() if fault else None
        return run(lambda: call.act(world, way), self.folder / "child.log", hook, umask)

    def reference(self, call: Call, channel: str) -> Reference:
        start = self.worlds[call.start]
        world = start.copied(self.folder / "reference")
        way, served = Way(channel), self.folder / "served"
        service = None
        if channel == SERVICE:
            served.write_text("", encoding="utf-8")

            def traced(point: str, what: str) -> None:
                with served.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps([point, what]) + "\n")

            service = Service(world.serve, traced)
            way = replace(way, port=service.port)
        try:
            outcome = record(lambda: call.act(world, way), self.folder / "child.log")
        finally:
            if service is not None:
                service.end()
        if outcome.how != "done" or outcome.told is not True:
            raise SystemExit(f"{call.name}/{channel} does not work without a fault: {outcome}")
        broken = self._ended(call, channel, world, start)
        if broken:
            raise SystemExit(f"{call.name}/{channel} without a fault: {broken}")
        points: Trace = []
        if channel == SERVICE:
            points = [tuple(json.loads(text)) for text in served.read_text(encoding="utf-8").splitlines()]
            served.unlink()
        found = Reference(
            outcome.trace,
            points,
            model.shape(world.folder),
            sum(point == _ASKED.get(channel) for point, _what in outcome.trace),
        )
        shutil.rmtree(world.folder)
        return found

    def _ended(self, call: Call, channel: str, world: World, start: World) -> list[str]:
        online = channel != OFFLINE
        broken = model.check(world.folder, start.folder, online)
        return broken + model.check_end(world.folder, start.folder, call.action, NUMBERS, call.moved)

    def _first(self, case: Case, world: World, way: Way) -> Outcome:
        """The call that the fault befalls; where there are two at once, how the worse of them ended."""
        if case.fault is None or case.fault.kind != "stop":
            return self._call(case.call, world, way, case.fault, case.umask)
        logs = [self.folder / f"run{number}.log" for number in (0, 1)]
        waits = self.folder / "waits"
        waits.unlink(missing_ok=True)

        def seen(point: str, what: str) -> None:
            if point in ("files.lock.open", "bundle.lock"):
                waits.touch()

        def act() -> bool:
            return case.call.act(world, way)

        first = spawn(act, logs[0], case.fault.hook())
        os.waitpid(first, os.WUNTRACED)
        second = spawn(act, logs[1], seen)
        # It comes to the lock that the first one holds, or ends where that holds none.
        while not waits.exists() and os.waitid(os.P_PID, second, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            time.sleep(0.005)
        os.kill(first, signal.SIGKILL if case.dies else signal.SIGCONT)
        ends = [wait(first, logs[0]), wait(second, logs[1])]
        if case.dies and ends[0].how == "killed":
            ends = ends[1:]
        return next((one for one in ends if one.how != "done"), ends[0])

    def broken(self, case: Case, reference: Reference) -> list[str]:
        """Run a case; return what does not hold."""
        call, start = case.call, self.worlds[case.call.start]
        world = start.copied(self.folder / "world")
        broken = []
        first_way = Way(case.channel, skew=timedelta() if case.fault else case.skew)
        with self._reached(first_way, world, case.served, case.cut) as way:
            first = self._first(case, world, way)
        broken += [f"{words}: {first.said[-1500:]}" for words in unexpected(case, first)]
        broken += model.check(world.folder, start.folder, case.channel != OFFLINE)
        world.age()
        if case.kind == "two runs" and call.name != "backup":
            # Whoever came second may have done everything, so that nothing is left for the next call to change.
            world.sweep(call.host)
        with self._reached(Way(case.channel, skew=case.skew), world) as way:
            again = self._call(call, world, way, umask=0o077)
            if again.how != "done":
                broken.append(f"the same call again {again.how}: {again.told} {again.said[-1500:]}")
            broken += self._ended(call, case.channel, world, start)
            broken += differences(reference.shape, model.shape(world.folder))
            before = model.everything(world.folder)
            third = self._call(call, world, way)
        # Updating offline, a new request waits each time until its response is loaded.
        asks = call.action == "update" and case.channel == OFFLINE
        if third.how != "done" or third.told is not asks:
            broken.append(f"I6: a third call {third.how}, changed {third.told}: {third.said[-1500:]}")
        after = model.everything(world.folder)
        if call.action != "update" and after != before:
            names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
            broken.append(f"I6: a third call touched {names}")
        shutil.rmtree(world.folder)
        return broken


def unexpected(case: Case, outcome: Outcome) -> Iterator[str]:
    """How a call with a fault may not end (I8): by anything but a kill, its result, or words for a person."""
    if outcome.how == "crashed" or (outcome.how == "killed") != (case.kind == "killed"):
        yield f"I8: the call {outcome.how}"
    if outcome.how == "refused" and not all(all(problem.values()) for problem in outcome.told):
        yield f"I8: a problem says nothing: {outcome.told}"
    if outcome.how == "refused" and case.kind in ("clock", "two runs"):
        yield f"I8: the call was refused: {outcome.told}"


def damage(cut: Cut) -> Any:
    """What a cut does to the replies of the embedded authority."""

    def act(exchange: int, response: bytes) -> bytes:
        if not cut.hits(exchange):
            return response
        if not cut.keep:
            raise refuse("The reply was lost.", "the authority", "Run this again.")
        return response[: int(len(response) * cut.keep)]

    return act


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    names = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    return [f"not as without a fault: {name}: {expected.get(name)}, {found.get(name)}" for name in names]


def cases_of(call: Call, channel: str, reference: Reference) -> Iterator[Case]:
    """Every fault that makes sense in a call."""
    for at, (point, what) in enumerate(reference.trace):
        where = f"{at} {point} {what[:60]}"
        for kind, fault in (("killed", "kill"), ("error", "error"), ("disk full", "full"), ("read-only", "readonly")):
            if fits(fault, point, what):
                yield Case(call, channel, kind, where, Fault(fault, at))
        for skew, words in ((DAY, "a day ahead"), (-DAY, "a day behind")):
            if at % 5 == 0 and call.action:
                yield Case(call, channel, "killed", f"{where}, {words} after it", Fault("kill", at), skew=skew)
        # The folder of requests is one controller's.
        if at % 4 == 0 and channel != OFFLINE:
            for dies, words in ((False, "goes on"), (True, "is killed")):
                yield Case(call, channel, "two runs", f"{where}, where the first {words}", Fault("stop", at), dies=dies)
    for skew, words in ((DAY, "ahead"), (-DAY, "behind")):
        yield Case(call, channel, "clock", f"the beginning, a day {words}", skew=skew)
    for at, (point, what) in enumerate(reference.served):
        where = f"the service's {at} {point} {what[:40]}"
        for kind, fault in (
            ("authority killed", "kill"),
            ("authority's error", "error"),
            ("authority's disk full", "full"),
        ):
            if fits(fault, point, what):
                yield Case(call, channel, kind, where, served=Fault(fault, at))
    for at in range(reference.exchanges):
        for kind, keep in CUTS.items():
            for lasting in (False, True):
                where = f"exchange {at}{' and all after it' if lasting else ''}"
                yield Case(call, channel, kind, where, cut=Cut(at, lasting, keep))


def bounded(cases: list[Case], seen: set[str], each: int) -> list[Case]:
    """Some cases of each kind, evenly spread, and a kill at each point that no other call has had one at."""
    chosen: dict[str, Case] = {}
    kinds: dict[str, list[Case]] = {}
    for case in cases:
        kinds.setdefault(case.kind, []).append(case)
        point = case.where.split()[1]
        if case.kind == "killed" and point not in seen:
            seen.add(point)
            chosen[case.name] = case
    for some in kinds.values():
        step = max(1.0, len(some) / each)
        chosen.update((some[int(at * step)].name, some[int(at * step)]) for at in range(min(each, len(some))))
    return list(chosen.values())


def points() -> set[str]:
    """The names of all failpoints, from the source."""
    found = set()
    for path in PLUGINS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "faults.reach":
                found.add(ast.literal_eval(node.args[0]))
    return found


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
