# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a pair: what each license needs, what that spends, and what the run hands on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fields import Fields, Kind
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Digests
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.assessment import (
    Assessment,
    account_after,
    assess,
    is_settled,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.carried_files import FilesComparison, FilesPlan
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.checks import problems_of
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.commands import release_advice
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair import Pair
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.render import (
    limits,
    notes_of,
    state_in_words,
    step_in_words,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.steps import Step
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.terminal import text_table

KIND = Kind("a plan", "Give the plan that aims_license_plan returned.")


@dataclass(frozen=True)
class PlannedLicense:
    """What the plan shows of a license.

    :ivar state: where it is, in words
    :ivar until: when its emergency activation ends, UTC
    :ivar spends, left, returns: transfers; None where they are not known
    """

    number: str
    profile: str | None
    state: str
    step: Step
    until: str | None
    spends: int | None
    left: int | None
    returns: str | None

    @classmethod
    def of(cls, assessment: Assessment, pair: Pair) -> PlannedLicense:
        account = account_after(assessment, pair)
        transfers = account.as_dict(pair.now) if account else {}
        return cls(
            assessment.number,
            assessment.license.profile,
            state_in_words(assessment, pair),
            assessment.step,
            assessment.until,
            assessment.spends,
            transfers.get("left"),
            transfers.get("returns"),
        )

    @classmethod
    def read(cls, fields: Fields) -> PlannedLicense:
        return cls(
            fields.text("number"),
            fields.text_or_none("profile"),
            fields.text("state", ""),
            fields.word("step", Step, "a step of a plan"),
            fields.time_or_none("until"),
            fields.whole_or_none("spends"),
            fields.whole_or_none("left"),
            fields.time_or_none("returns"),
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "profile": self.profile,
            "state": self.state,
            "step": self.step.value,
            "until": self.until,
            "spends": self.spends,
            "left": self.left,
            "returns": self.returns,
        }


@dataclass(frozen=True)
class Plan:
    """What a run does with a pair.

    :ivar deactivate: the licenses to deactivate on the source
    :ivar returned: those that the source no longer holds when the target's turn comes
    :ivar is_lost: whether the source is declared lost
    :ivar next_step: what only others can do, in words
    :ivar limits: of what the target holds, in words
    :ivar users: the users to register on the target; None where it keeps its own
    :ivar unfinished: the licenses whose activation on the source was requested and not finished
    :ivar files: the plan of the files that move; None before they are compared
    """

    licenses: tuple[PlannedLicense, ...]
    deactivate: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    is_lost: bool = False
    next_step: str | None = None
    notes: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    users: tuple[str, ...] | None = None
    unfinished: tuple[str, ...] = ()
    files: FilesPlan | None = None

    @property
    def release(self) -> list[str]:
        """The licenses that only the authority's owner can set free."""
        return [license.number for license in self.licenses if license.step.is_left_to_others]

    @property
    def emergency(self) -> list[str]:
        """Those of them that are bridged meanwhile."""
        return [license.number for license in self.licenses if license.step is Step.EMERGENCY]

    @property
    def left_out(self) -> list[str]:
        """The others of them."""
        return [license.number for license in self.licenses if license.step is Step.RELEASE]

    @property
    def arrives(self) -> bool:
        """Whether any license becomes active on the target."""
        return any(license.step.arrives for license in self.licenses)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do."""
        files = self.files is None or self.files.is_settled
        return files and all(license.step is Step.KEEP for license in self.licenses)

    @classmethod
    def from_dict(cls, data: object, where: str) -> Plan:
        """Read a plan that was returned, or written into a report.

        :param where: what is read, for the message
        :raises LicensingError: it is not one; the message names the first field that is wrong
        """
        fields = Fields.of(data, KIND, where)
        files = fields.part_or_none("files")
        return cls(
            tuple(map(PlannedLicense.read, fields.rows("licenses"))),
            deactivate=fields.texts("deactivate", ()),
            returned=fields.texts("returned", ()),
            is_lost=fields.flag("lost", False),
            next_step=fields.text_or_none("next_step"),
            notes=fields.texts("notes", ()),
            limits=fields.texts("limits", ()),
            users=None if fields.values.get("users") is None else fields.texts("users"),
            unfinished=fields.texts("unfinished", ()),
            files=FilesPlan.read(files) if files else None,
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "licenses": [license.as_dict() for license in self.licenses],
            "release": self.release,
            "emergency": self.emergency,
            "left_out": self.left_out,
            "lost": self.is_lost,
            "next_step": self.next_step,
            "deactivate": list(self.deactivate),
            "returned": list(self.returned),
            "settled": self.is_settled,
            "notes": list(self.notes),
            "limits": list(self.limits),
            "users": None if self.users is None else list(self.users),
            "unfinished": list(self.unfinished),
            **({"files": self.files.as_dict()} if self.files else {}),
        }


def make_plan(pair: Pair, *, against: Sequence[Problem] = ()) -> Plan:
    """Return the plan of a pair.

    :param against: what stands against it besides
    :raises LicensingError: with everything that stands against it
    """
    assessments = assess(pair)
    problems = [*problems_of(pair, assessments), *against]
    if problems:
        raise LicensingError(problems)
    plan = Plan(
        tuple(PlannedLicense.of(assessment, pair) for assessment in assessments),
        deactivate=tuple(assessment.number for assessment in assessments if assessment.gives_up),
        returned=tuple(assessment.number for assessment in assessments if assessment.is_given_back),
        is_lost=pair.is_lost,
        notes=tuple(notes_of(pair, assessments)),
        limits=tuple(limits(pair.numbers, pair.target.overview, pair.target.host)),
        users=_users(pair, assessments),
        unfinished=tuple(number for number in pair.numbers if _is_unfinished(pair, number)),
    )
    return replace(plan, next_step=release_advice(plan.release, pair.source.host, pair.target.authority))


def _users(pair: Pair, assessments: Sequence[Assessment]) -> tuple[str, ...] | None:
    """The users to register: the declared ones, or else those of the host that has served until now.

    A target that gets back licenses which it shows still has the users that it had, also where it had none.
    """
    if pair.users is not None:
        return pair.users
    there = pair.target.overview
    had = bool(there.users) or any(there.license(number) is not None for number in pair.numbers)
    return None if pair.target.returns and had else _users_served(pair, assessments)


def _users_served(pair: Pair, assessments: Sequence[Assessment]) -> tuple[str, ...]:
    """The users of the host that has served until now, as they may have been removed there.

    Where it has none, it may have been interrupted between its licenses and its users. In the middle of a migration
    the users are on only one of the two.
    """
    ours, theirs = pair.source.overview.users, pair.target.overview.users
    if is_settled(assessments):
        return theirs or ours
    if pair.target.overview.held.difference(pair.numbers):
        # What another source has brought, or what was there before, has users too.
        return tuple(dict.fromkeys([*theirs, *ours]))
    if all(assessment.step is Step.MOVE and assessment.facts.source.serves_for_good for assessment in assessments):
        return ours or theirs
    return tuple(dict.fromkeys([*ours, *theirs]))


def _is_unfinished(pair: Pair, number: str) -> bool:
    return any(request.is_activation for request in pair.source.requests(number))


def with_files(plan: Plan, pair: Pair, bundle: Digests | None, *, waived: bool) -> Plan:
    """Return a plan with that of its files, which it is not settled without.

    :param bundle: the files of the source's newest bundle, or of the bundle that stands for it where it is lost
    """
    comparison = FilesComparison(pair.source, pair.target, bundle, bool(plan.deactivate), plan.arrives, waived)
    files = comparison.plan()
    return replace(plan, notes=(*plan.notes, *files.notes), files=files)


def plan_text(plan: Plan, source: str, target: str) -> str:
    """Return the plan as a table for a terminal."""
    rows = [
        [
            license.number,
            license.profile or "",
            license.state,
            step_in_words(license.step.value, license.until),
            "?" if license.spends is None else license.spends,
            "?" if license.left is None else license.left,
            license.returns or "",
        ]
        for license in plan.licenses
    ]
    headers = ("License", "Profile", "Now", "Step", "Spends", "Left then", "Next returns")
    lines = [f"Note: {note}" for note in (*plan.notes, *plan.limits)]
    lines += plan.files.words if plan.files else ()
    lines += [plan.next_step] if plan.next_step else []
    notes = "".join(f"\n{line}" for line in lines)
    done = "Nothing is left to do." if plan.is_settled else ""
    return f"Plan {source} -> {target}\n{text_table(headers, rows)}{notes}\n{done}".rstrip() + "\n"
