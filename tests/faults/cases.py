# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of the matrix: what befalls which call, where."""

from __future__ import annotations

import ast
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from faults.calls import Call
from faults.children import Cut, Fault, Trace, fits
from faults.mishaps import BUNDLES, EVERYWHERE, MAILS, REQUESTS, Mail, Mishap
from faults.world import OFFLINE, REQUEST, RESPONSE

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
DAY = timedelta(days=1)
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
    :ivar empty: whether the folder of requests is lost with the first call's controller
    :ivar dies: whether the first of two runs is killed where it stands, or else goes on
    :ivar mail: what becomes of documents on their way, and of which: ``request`` or ``response``
    :ivar mishap: what befalls the files before the call is made again
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
    empty: bool = False
    mail: tuple[Mail, str] | None = None
    mishap: Mishap | None = None

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
        if at % 4 == 1 and not call.alone:
            for fault, kind in (("gone", "unheard"), ("hang up", "hung up")):
                yield Case(call, channel, kind, where, Fault(fault, at))
                if channel == OFFLINE:
                    # Another controller, or a job that begins in an empty folder.
                    words = f"{where}, then with an empty folder of requests"
                    yield Case(call, channel, kind, words, Fault(fault, at), empty=True)
        # A command that comes while a call is held up does all of it; the call then goes on.
        if at % 4 == 2 and channel != OFFLINE and not call.alone:
            yield Case(call, channel, "held up", where, Fault("hold", at))
        # The folder of requests is one controller's.
        if at % 4 == 0 and channel != OFFLINE and not call.alone:
            for dies, words in ((False, "goes on"), (True, "is killed")):
                yield Case(call, channel, "two runs", f"{where}, where the first {words}", Fault("stop", at), dies=dies)
        for mishap in _mishaps(call, channel):
            yield Case(call, channel, mishap.name, where, Fault("kill", at), mishap=mishap)
    for mail in MAILS if channel == OFFLINE else ():
        for leg in (REQUEST, RESPONSE) if mail.change else (RESPONSE,):
            yield Case(call, channel, f"mail {mail.name}", f"the {leg}", mail=(mail, leg))
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


def _mishaps(call: Call, channel: str) -> Iterator[Mishap]:
    """What can befall the files that a call deals with."""
    backup = call.name == "backup"
    yield from (mishap for mishap in EVERYWHERE if not (backup and mishap.alters))
    yield from REQUESTS if channel == OFFLINE else ()
    yield from BUNDLES if backup else ()


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
