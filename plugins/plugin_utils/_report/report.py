# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a pair as data. It becomes a dictionary where it is written or returned only. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.fields import Fields, Kind
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import SeatTrial
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.carried_files import FilesStatus
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import Plan

KIND = Kind("a report", "Move the file away, and run the same command again, which writes it anew.")
ROLLBACK = "rollback"


@dataclass(frozen=True)
class PairNames:
    """The hosts of a pair: ``source`` is the one that the licenses leave, in a rollback too."""

    source: str
    target: str

    @classmethod
    def read(cls, fields: Fields) -> PairNames:
        return cls(fields.text("source"), fields.text("target"))


@dataclass(frozen=True)
class AwaitedResponse:
    """A request that waits for its response.

    :ivar action: None where its host does not say what it asked for
    :ivar file: the name of the request's file
    """

    host: str
    number: str
    action: str | None
    file: str

    @classmethod
    def read(cls, fields: Fields) -> AwaitedResponse:
        return cls(fields.text("host"), fields.text("number"), fields.text_or_none("action"), fields.text("file"))


@dataclass(frozen=True)
class ConnectionString:
    """What PRO's configuration has for a profile."""

    profile: str
    string: str

    @classmethod
    def read(cls, fields: Fields) -> ConnectionString:
        return cls(fields.text("profile"), fields.text("string"))


@dataclass(frozen=True)
class Wait:
    """What waiting for clients came to.

    :ivar seconds: how long it took
    :ivar total: how many seats were still in use then
    """

    seconds: float
    total: int

    @classmethod
    def read(cls, fields: Fields) -> Wait:
        return cls(fields.seconds("seconds"), fields.whole("total"))


@dataclass(frozen=True)
class Report:
    """What a migration or rollback did.

    :ivar made: UTC
    :ivar before: the source when it still held the licenses; ``source_after`` the source now, or when last seen
    :ivar after: the target now
    :ivar release: the licenses that only the authority's owner can set free
    :ivar moved: the licenses that the target got from the source, in this run or in an earlier one
    :ivar without_service_seconds: between the fence and the last activation; None where this run activated nothing
    :ivar seats: what each profile of the target gave when a seat was taken on it
    :ivar drained: None where no licenses were given up
    :ivar bundle: the path of the bundle on the controller
    """

    pair: PairNames
    made: str
    direction: str
    before: Overview
    after: Overview
    source_after: Overview
    plan: Plan
    release: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    files: FilesStatus = field(default_factory=FilesStatus)
    without_service_seconds: float | None = None
    seats: tuple[SeatTrial, ...] = ()
    drained: Wait | None = None
    bundle: str = ""
    connection_strings: tuple[ConnectionString, ...] = ()
    licenses_cfg: tuple[str, ...] = ()
    pending: tuple[AwaitedResponse, ...] = ()
    next_step: str | None = None

    @property
    def is_rollback(self) -> bool:
        return self.direction == ROLLBACK

    @property
    def planned(self) -> list[str]:
        """The licenses of the plan, and those that moved."""
        return list(dict.fromkeys([*(license.number for license in self.plan.licenses), *self.moved]))

    @property
    def not_held(self) -> list[str]:
        """Those of them that the target does not hold."""
        return [number for number in self.planned if number not in self.after.held]

    @property
    def spent(self) -> int:
        """The transfers that the licenses spent which moved."""
        return sum(license.spends or 0 for license in self.plan.licenses if license.number in self.moved)

    @property
    def missing(self) -> list[str]:
        """The declared licenses and profiles that the target does not serve, though it is to have them.

        A license that runs out, or waits for its update, counts as served: no other run can mend that.
        """
        served = {license.number for license in self.after.licenses if license.is_served}
        names = {profile.name for profile in self.after.profiles}
        rows = [license for license in self.plan.licenses if license.number not in self.plan.left_out]
        return [row.number for row in rows if row.number not in served] + [
            row.profile for row in rows if row.profile and row.profile not in names
        ]

    def repeats(self, earlier: Report) -> bool:
        """Whether an earlier report has this one's facts: who holds what since which exchange, and what is pending.

        What else the target holds is the matter of other pairs.
        """
        return self._facts == earlier._facts

    @property
    def _facts(self) -> tuple[object, ...]:
        planned, licenses = self.planned, self.after.licenses
        held = {license.number: (license.status, license.serial) for license in licenses if license.number in planned}
        return self.pair, self.direction, held, self.pending, self.files

    @classmethod
    def from_dict(cls, data: object, where: str) -> Report:
        """Read a report that was written.

        :param where: what is read, for the message
        :raises LicensingError: it is not one; the message names the first field that is wrong
        """
        fields = Fields.of(data, KIND, where)
        drained = fields.part_or_none("drained")

        def overview(name: str) -> Overview:
            return Overview.from_dict(fields.part(name).values, fields.place(name))

        return cls(
            PairNames.read(fields.part("pair")),
            fields.text("made"),
            fields.text("direction"),
            overview("before"),
            overview("after"),
            overview("source_after"),
            Plan.from_dict(fields.part("plan").values, fields.place("plan")),
            fields.part("plan").texts("release", ()),
            fields.texts("moved", ()),
            FilesStatus.read(fields.part("files")) if fields.has("files") else FilesStatus(),
            fields.seconds_or_none("without_service_seconds"),
            tuple(map(read_trial, fields.rows("seats", ()))),
            Wait.read(drained) if drained else None,
            fields.text("bundle", ""),
            tuple(map(ConnectionString.read, fields.rows("connection_strings", ()))),
            fields.texts("licenses_cfg", ()),
            tuple(map(AwaitedResponse.read, fields.rows("pending", ()))),
            fields.text_or_none("next_step"),
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "pair": asdict(self.pair),
            "made": self.made,
            "direction": self.direction,
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
            "source_after": self.source_after.as_dict(),
            "plan": {**self.plan.as_dict(), "release": list(self.release)},
            "moved": list(self.moved),
            "files": self.files.as_dict(),
            "without_service_seconds": self.without_service_seconds,
            "seats": [asdict(trial) for trial in self.seats],
            "drained": asdict(self.drained) if self.drained else None,
            "bundle": self.bundle,
            "connection_strings": [asdict(string) for string in self.connection_strings],
            "licenses_cfg": list(self.licenses_cfg),
            "pending": [asdict(response) for response in self.pending],
            "next_step": self.next_step,
        }


def read_trial(fields: Fields) -> SeatTrial:
    """Read what a profile gave when a seat was taken on it."""
    return SeatTrial(
        fields.text("profile"), fields.text("license"), fields.text("outcome"), fields.text_or_none("reason")
    )
