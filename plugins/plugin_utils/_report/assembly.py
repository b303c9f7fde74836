# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the report of a pair: what was, what is, what it cost, and what to enter where. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import CLIENTS_PORT, with_port
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fields import Fields, Kind
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import SeatTrial
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.results import Action
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import parse_time
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.carried_files import FilesStatus
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.commands import release_advice
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import Plan
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.render import limits
from ansible_collections.aims.licensing.plugins.plugin_utils._report.report import (
    AwaitedResponse,
    ConnectionString,
    PairNames,
    Report,
    Wait,
    read_trial,
)

KIND = Kind("a result of a run", "Give what the task returned, as it was registered.")


@dataclass(frozen=True)
class CallResult:
    """What a call that activates or deactivates came to; blank where it did not run.

    :ivar overview: of its host, afterwards
    :ivar activated: the numbers of the licenses that it activated
    :ivar requests: the numbers and files of the requests that wait
    :ivar started, ended: seconds by the controller's clock; a drain is over before a call counts as started
    """

    overview: Overview | None = None
    activated: frozenset[str] = frozenset()
    requests: tuple[tuple[str, str], ...] = ()
    drained: Wait | None = None
    next_step: str | None = None
    started: float | None = None
    ended: float | None = None

    @classmethod
    def from_dict(cls, data: object, where: str) -> CallResult:
        """Read a registered result.

        :raises LicensingError: it is not one; the message names the first field that is wrong
        """
        if is_blank(data):
            return cls()
        fields = Fields.of(data, KIND, where)
        overview, drained = fields.part_or_none("overview"), fields.part_or_none("drained")
        rows = fields.rows("results", ())
        return cls(
            Overview.from_dict(overview.values, fields.place("overview")) if overview else None,
            frozenset(row.text("number") for row in rows if row.text("action") == Action.ACTIVATED),
            tuple((request.text("number"), request.text("file")) for request in fields.rows("requests", ())),
            Wait.read(drained) if drained else None,
            fields.text_or_none("next_step"),
            fields.seconds_or_none("started"),
            fields.seconds_or_none("ended"),
        )

    def awaited(self, host: str) -> tuple[AwaitedResponse, ...]:
        """Return the responses that it waits for.

        What they were asked for may be left from the way in the other direction.
        """
        pending = self.overview.pending if self.overview else ()
        actions = {request.number: request.action for request in pending}
        return tuple(AwaitedResponse(host, number, actions.get(number), file) for number, file in self.requests)


@dataclass(frozen=True)
class Run:
    """What a run over a pair has come to.

    :ivar source: the source as it was looked at first; ``before`` when it still held the licenses
    :ivar after: the target now
    :ivar seats: what each profile of the target gave when a seat was taken on it
    """

    pair: PairNames
    plan: Plan
    before: Overview
    source: Overview
    after: Overview
    deactivated: CallResult = CallResult()
    activated: CallResult = CallResult()
    seats: tuple[SeatTrial, ...] = ()

    @property
    def source_after(self) -> Overview:
        return self.deactivated.overview or self.source

    @property
    def numbers(self) -> list[str]:
        return [license.number for license in self.plan.licenses]

    @property
    def pending(self) -> tuple[AwaitedResponse, ...]:
        return self.deactivated.awaited(self.pair.source) + self.activated.awaited(self.pair.target)

    @property
    def moved(self) -> list[str]:
        """The declared licenses that the target got from the source, in this run or in an earlier one of the move.

        ``before`` shows the source when it still held them or, where no bundle has that, as it gave them back.
        """
        from_source = self.after.held & (self.before.held | self.before.ended)
        return [number for number in self.numbers if number in self.activated.activated | from_source]

    @property
    def release(self) -> list[str]:
        """The licenses that only the authority's owner can set free.

        Offline, what was planned as a pending activation may have come as one for a few days. What the source gives
        back needs no release.
        """
        bridged = {license.number for license in self.after.licenses if license.until} - set(self.plan.returned)
        return [number for number in self.numbers if number in bridged or number in self.plan.release]

    @property
    def seconds_without_service(self) -> float | None:
        """The seconds between the fence and the last activation, or None where this run activated nothing or the clocks
        of source and controller differ too much.

        Both calls of one run are taken by the controller's clock; a move that took more than one run, by the fence's
        time on the source and the end of the last activation.
        """
        ended = self.activated.ended
        fences = [
            parse_time(license.fenced, "fenced").timestamp()
            for license in self.source_after.licenses
            if license.number in self.moved and license.fenced
        ]
        if not self.activated.activated or ended is None or not fences or self.pending:
            return None
        begun = min(fences)
        started = begun if self.deactivated.started is None else self.deactivated.started
        # A fence from an earlier run is older than this run's call by more than a rounded second.
        seconds = round(ended - (begun if begun < started - 2 else started), 2)
        # A source whose clock is ahead dates its fence after the activation.
        return seconds if seconds >= 0 else None


def build_report(run: Run, *, address: str, direction: str, bundle: str, made: str) -> Report:
    """Return the report of a run.

    :param address: where clients reach the target
    :param bundle: the path of the bundle on the controller
    :param made: UTC
    """
    source, target = run.pair.source, run.pair.target
    advice = release_advice(run.release, source, run.after.server.authority)
    return Report(
        run.pair,
        made,
        direction,
        run.before,
        run.after,
        run.source_after,
        # What holds of the target's licenses holds after the run.
        replace(run.plan, limits=tuple(limits(run.numbers, run.after, target))),
        release=tuple(run.release),
        moved=tuple(run.moved),
        files=FilesStatus.of(run.plan.files, run.after),
        without_service_seconds=run.seconds_without_service,
        seats=run.seats,
        drained=run.deactivated.drained,
        bundle=bundle,
        connection_strings=connection_strings(address, [profile.name for profile in run.after.profiles]),
        licenses_cfg=tuple(licenses_cfg(address)),
        pending=run.pending,
        next_step=run.deactivated.next_step or run.activated.next_step or run.plan.next_step or advice,
    )


def connection_strings(host: str, profiles: Sequence[str]) -> tuple[ConnectionString, ...]:
    """Return what PRO's configuration has for each profile: ``host:3400,Profile`` (docs/domain.md#profiles)."""
    return tuple(ConnectionString(name, f"{with_port(host, CLIENTS_PORT)},{name}") for name in profiles)


def licenses_cfg(host: str) -> list[str]:
    """Return the line of a client's ``licenses.cfg`` (docs/domain.md#identifiers-and-files)."""
    return [f"1\tnetwork\t{with_port(host, CLIENTS_PORT)}"]


def read_seats(data: object, where: str) -> tuple[SeatTrial, ...]:
    """Read the seats of a registered result of ``aims_license_verify``; none where it did not run."""
    return () if is_blank(data) else tuple(map(read_trial, Fields.of(data, KIND, where).rows("seats", ())))


def is_blank(data: object) -> bool:
    """Whether a registered result is that of a task that did not run."""
    return data is None or (isinstance(data, dict) and bool(data.get("skipped")))
