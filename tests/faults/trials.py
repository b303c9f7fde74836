# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs cases: the call with its fault, the same call again, and a third time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import refuse

from faults import model
from faults.calls import Call
from faults.cases import Case, Reference
from faults.children import Cut, Fault, Line, Outcome, Service, Trace, record, run, spawn, wait
from faults.world import EMBEDDED, NUMBERS, OFFLINE, REQUEST, SERVICE, Way, World

# Each of these is followed by a reply of the authority, or by a response file of it.
_ASKED = {EMBEDDED: "channel.embedded.send", SERVICE: "channel.https.send", OFFLINE: "ledger.committed"}
# Nobody waits for what the call answers.
UNHEARD = ("unheard", "hung up")


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
        if case.fault is None or case.fault.kind not in ("stop", "hold"):
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
        # It comes to the lock that the first one holds, or ends where that holds none; if that is held up, to its end.
        while not waits.exists() and not _has_ended(second):
            time.sleep(0.005)
        until = time.monotonic() + (1.0 if case.fault.kind == "hold" else 0.0)
        while time.monotonic() < until and not _has_ended(second):
            time.sleep(0.005)
        os.kill(first, signal.SIGKILL if case.dies else signal.SIGCONT)
        ends = [wait(first, logs[0]), wait(second, logs[1])]
        if (case.dies and ends[0].how == "killed") or (case.fault.kind == "hold" and _came_too_late(ends[0])):
            ends = ends[1:]
        return next((one for one in ends if one.how != "done"), ends[0])

    def broken(self, case: Case, reference: Reference) -> list[str]:
        """Run a case; return what does not hold."""
        call, start = case.call, self.worlds[case.call.start]
        world = start.copied(self.folder / "world")
        broken = []
        mail = case.mail[0].on(case.mail[1]) if case.mail else None
        first_way = Way(case.channel, mail=mail, skew=timedelta() if case.fault else case.skew)
        with self._reached(first_way, world, case.served, case.cut) as way:
            first = self._first(case, world, way)
        broken += [f"{words}: {first.said[-1500:]}" for words in unexpected(case, first)]
        broken += model.check(world.folder, start.folder, case.channel != OFFLINE)
        if case.mail and case.mail[1] == REQUEST and first.how == "refused":
            broken += model.undecided(world.folder, start.folder)
        world.age()
        if case.empty:
            shutil.rmtree(world.folder / "requests", ignore_errors=True)
        if case.kind in ("two runs", "held up", *UNHEARD) and call.name != "backup":
            # Whoever came second may have done everything, so that nothing is left for the next call to change.
            world.sweep(call.host)
        if case.mishap:
            case.mishap.act(world, start, call.host)
        with self._reached(Way(case.channel, skew=case.skew), world) as way:
            again = self._call(call, world, way, umask=0o077)
            if case.mishap and not case.mishap.harmless and again.how == "refused":
                broken += [f"{words}: {again.said[-1500:]}" for words in unexpected(case, again, again=True)]
                case.mishap.undo(world, call.host)
                again = self._call(call, world, way, umask=0o077)
            elif case.mishap:
                case.mishap.undo(world, call.host)
            if case.mail:
                case.mail[0].correct(world)
            if again.how != "done":
                broken.append(f"the same call again {again.how}: {again.told} {again.said[-1500:]}")
            broken += self._ended(call, case.channel, world, start)
            # What a lost folder of requests held is in no other.
            lost = "requests" if case.empty else "nothing"
            broken += differences(_without(reference.shape, lost), _without(model.shape(world.folder), lost))
            forgiven = case.mishap.forgives if case.mishap else ()
            broken = [words for words in broken if not words.startswith(forgiven)] if forgiven else broken
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


def unexpected(case: Case, outcome: Outcome, again: bool = False) -> Iterator[str]:
    """How a call with a fault may not end (I8): by anything but a kill, its result, or words for a person."""
    dies = case.fault is not None and case.fault.kind == "kill" and not again
    # A call that nobody hears ends without an answer, or refuses to begin.
    silent = outcome.how == "killed" and case.kind in UNHEARD
    if outcome.how == "crashed" or ((outcome.how == "killed") != dies and not silent):
        yield f"I8: the call {outcome.how}"
    if outcome.how == "refused" and not all(all(problem.values()) for problem in outcome.told):
        yield f"I8: a problem says nothing: {outcome.told}"
    clear = case.kind in ("clock", "two runs", "held up", "unheard") or (case.mail and case.mail[0].same)
    if outcome.how == "refused" and clear and not _is_locked_out(case, outcome):
        yield f"I8: the call was refused: {outcome.told}"


def _has_ended(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _came_too_late(outcome: Outcome) -> bool:
    """Whether a call that was held up said so."""
    return outcome.how == "refused" and all("seconds ago" in problem["what"] for problem in outcome.told)


def _is_locked_out(case: Case, outcome: Outcome) -> bool:
    """Whether who is held up in the middle of a transaction keeps the other from the ledger."""
    return case.kind == "held up" and all("database is locked" in problem["what"] for problem in outcome.told)


def damage(cut: Cut) -> Any:
    """What a cut does to the replies of the embedded authority."""

    def act(exchange: int, response: bytes) -> bytes:
        if not cut.hits(exchange):
            return response
        if not cut.keep:
            raise refuse("The reply was lost.", "the authority", "Run this again.")
        return response[: int(len(response) * cut.keep)]

    return act


def _without(shape: Mapping[str, Any], base: str) -> dict[str, Any]:
    return {name: what for name, what in shape.items() if name.partition("/")[0] != base}


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    names = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    return [f"not as without a fault: {name}: {expected.get(name)}, {found.get(name)}" for name in names]
