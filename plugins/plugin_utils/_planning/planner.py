# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a pair: what each license needs, what that spends, and whether anything stands against it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import DRIFTED
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.inspection import (
    ACTIVE,
    EXPIRED,
    INACTIVE,
    PENDING_ACTIVATION,
    PENDING_DEACTIVATION,
    PENDING_UPDATE,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.preflight import (
    against_nodelock,
    taken_names,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import ACTIVATE as ASKED
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import (
    MACHINE,
    PERSONAL,
    UPDATE,
    Account,
    DeclaredLicense,
    Profile,
    keep_profiles,
    named,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.contradictions import (
    another_machine,
    asked_on_another_machine,
    on_both,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.copies import (
    cloned,
    copied_home,
    copied_nodelocks,
    is_copied,
    one_place,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.needed_codes import lock_type, wrong_code
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair_status import OFFLINE, is_live
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.tables import HELD
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.terminal import text_table

KEEP = "keep"
SERVE = "serve again"
MOVE = "move"
FINISH_MOVE = "finish moving"
FINISH = "finish activating"
ACTIVATE = "activate"
RELEASE = "needs release"
EMERGENCY = "emergency"
END = "end emergency"


class Planner:
    """Plans moving the wanted licenses from one license server to another.

    :param source, target: ``{host, overview, fingerprint, obstacles}``, as ``aims_license_info`` returned it; a source
        that is not ``reachable`` shows nothing; to a target that ``returns`` its licenses come back
    :param quotes: what activating on the target would spend, by license number; empty offline
    :param remembered: the overview of the source's newest bundle, for what the source itself no longer shows
    :param further: declared profiles beside those of the licenses
    :param kept: whether the target gets back what it had, so that it keeps the profiles that it has for the licenses
    """

    def __init__(
        self,
        source: Mapping[str, Any],
        target: Mapping[str, Any],
        wanted: Sequence[DeclaredLicense],
        quotes: Mapping[str, Mapping[str, Any]],
        remembered: Mapping[str, Any] | None,
        now: datetime,
        further: Sequence[Profile] = (),
        kept: bool = False,
    ) -> None:
        if kept:
            wanted, further = _as_kept(_profiles(target["overview"]), wanted, further)
        self._source, self._target, self._wanted, self._quotes, self._now = source, target, wanted, quotes, now
        self._further, self._kept = further, kept
        self._given = _by_number(source["overview"])
        self._taken = _by_number(target["overview"])
        self._remembered = _by_number(remembered) if remembered else {}
        # What a bundle has of a license file may be out of date where a host shows its own.
        shows_nothing = not source.get("reachable", True)
        self._bundled = [remembered] if remembered and shows_nothing else []
        self._pending, self._opening = (_moves(side["overview"]["pending"]) for side in (source, target))

    def plan(self) -> dict[str, Any]:
        """Return the plan.

        ``licenses``: one ``{number, profile, state, step, until, spends, left, returns}`` each · ``give_up``: numbers
        to deactivate on the source · ``given_back``: numbers that the source no longer holds when the target's
        turn comes · ``release``: numbers that only the authority's owner can set free ·
        ``emergency``: those of them that are bridged meanwhile · ``left_out``: the others ·
        ``lost``: whether the source is · ``settled``: whether nothing is left to do · ``next_step``: what only others
        can do, in words, or None · ``notes`` · ``limits`` of what the target holds, in words · ``users`` to register

        :raises LicensingError: with everything that stands against it
        """
        rows = self.rows()
        reachable = self._source.get("reachable", True)
        problems = self._names() + self._declared()
        problems += self._problems(rows) if reachable else self._missed(rows) + self._asked(rows)
        if problems:
            raise LicensingError(problems)
        steps = {row["number"]: row["step"] for row in rows}
        held = [number for number, step in steps.items() if step in (RELEASE, EMERGENCY)]
        return {
            "licenses": rows,
            "release": held,
            "emergency": [number for number in held if steps[number] == EMERGENCY],
            "left_out": [number for number in held if steps[number] == RELEASE],
            "lost": self._lost,
            "next_step": release_advice(held, self._source["host"], self._target.get("authority")),
            "give_up": [number for number, step in steps.items() if self._gives_up(number, step)],
            "given_back": [n for n, step in steps.items() if step in (MOVE, FINISH_MOVE) or self._gave_back(n)],
            "settled": all(step == KEEP for step in steps.values()),
            "notes": self._notes(),
            "limits": limits([one.number for one in self._wanted], self._target["overview"], self._target["host"]),
            "users": self._users(rows),
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return the plan's ``licenses``, whatever stands against it."""
        return [self._row(one) for one in self._wanted]

    def _users(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """The users to register: those of the host that has served until now, as they may have been taken away there.

        Where it has none, it may have been cut off between its licenses and its users. In the middle of a migration
        the users are on one of the two only.
        """
        given, taken = (list(side["overview"]["users"]) for side in (self._source, self._target))
        if all(row["step"] == KEEP for row in rows):
            return taken or given
        if all(row["step"] == MOVE and self._serves(row["number"]) for row in rows):
            return given or taken
        return list(dict.fromkeys([*given, *taken]))

    @property
    def _lost(self) -> bool:
        return False

    def _missed(self, rows: Sequence[Mapping[str, Any]]) -> list[Problem]:
        """What a source that cannot be reached leaves undone."""
        source, target = self._source["host"], self._target["host"]
        problems = []
        for row in rows:
            number = row["number"]
            step = row["step"]
            # What was asked for is asked again under the same id, and refused where another machine holds it.
            if step in (KEEP, FINISH) or (step == SERVE and not self._is_elsewhere(number)):
                continue
            if step == ACTIVATE and self._may_return(number):
                continue
            if number in self._taken:
                command = release_command(number, source, self._target.get("authority"))
                todo = (
                    "Bring it up, or correct its address. If it is lost for good, have the authority's owner release "
                    f"the license, then run the same command again: {command}"
                )
            else:
                todo = (
                    "Bring it up, or correct its address. If it is lost for good, set "
                    "aims_license_migrate_source_lost: true: what it gave back is activated then, and what it still "
                    "holds only the authority's owner can release."
                )
            what = f"License {number} is not active on {target}, and {source} cannot be reached."
            problems.append(Problem(what, source, todo))
        return problems

    def _may_return(self, number: str) -> bool:
        """Whether the target, which had a license before, may ask for it whatever the source would show.

        The authority decides: it has said that no other machine holds the license. Where nobody can ask it, it answers
        the request file; one is made to return licenses only, as the source of a migration is likely to hold them.
        """
        if self._quotes.get(number, {}).get("live") is None:
            return number in self._taken and bool(self._target.get("returns"))
        return number in self._taken and not self._is_elsewhere(number)

    def _row(self, one: DeclaredLicense) -> dict[str, Any]:
        state, step = self._step(one.number)
        account = self._account(one)
        spends = self._spends(one.number, step)
        if account is not None and spends:
            account = Account(account.nodelock, (*account.times, self._now))
        transfers = account.as_dict(self._now) if account else {}
        return {
            "number": one.number,
            "profile": one.profile,
            "state": state,
            "step": step,
            "until": self._until(one.number) if step == EMERGENCY else None,
            "spends": spends,
            "left": transfers.get("left"),
            "returns": transfers.get("returns"),
        }

    def _step(self, number: str) -> tuple[str, str]:
        taken, given = self._taken.get(number, {}), self._given.get(number, {})
        bridged = taken.get("status") in HELD and taken.get("until")
        if is_live(taken) and is_live(given) and given.get("until") and not bridged:
            return f"active on both, on {self._source['host']} in an emergency", END
        if taken.get("status") in HELD and not bridged and not self._is_stale(number):
            where = f"{taken['status'].lower()} on {self._target['host']}"
            return (f"{where}, fenced", SERVE) if taken.get("fenced") else (where, KEEP)
        if number in self._opening:
            also = f", active on {self._source['host']} in an emergency" if self._bridges(number) else ""
            return f"pending {self._opening[number][:-1]}ion on {self._target['host']}{also}", FINISH
        if number in self._pending:
            return f"pending {self._pending[number][:-1]}ion on {self._source['host']}", FINISH_MOVE
        if given.get("status") in HELD and given.get("fenced") and self._is_void(number):
            # It serves nobody and is nobody's, so that nothing can be given back: asking for that would be refused.
            return f"fenced on {self._source['host']}, held by nobody", ACTIVATE
        if given.get("status") in HELD:
            fenced = ", fenced" if given.get("fenced") else ""
            return f"{given['status'].lower()} on {self._source['host']}{fenced}", MOVE
        if bridged and not self._is_free(number):
            return f"active on {self._target['host']}", EMERGENCY
        if bridged:
            return f"active on {self._target['host']} in an emergency", ACTIVATE
        return "active on neither", ACTIVATE

    def _is_stale(self, number: str) -> bool:
        """Whether the target shows a license, fenced, that is the source's by now.

        The target was released from it, or restored from a time when it had it.
        """
        taken, given = self._taken.get(number, {}), self._given.get(number, {})
        if not taken.get("fenced"):
            return False
        if number in self._pending or is_live(given):
            return True
        if self._quotes.get(number, {}).get("live") is not None:
            return given.get("status") in HELD and self._is_elsewhere(number)
        return given.get("status") in HELD and _serial(given) > _serial(taken)

    def _gave_back(self, number: str) -> bool:
        """Whether the source shows a license that it gave back: its nodelock is gone, not another machine's."""
        given = self._given.get(number, {})
        return bool(given.get("status") == INACTIVE and given.get("fenced") and not given.get("holder"))

    def _gives_up(self, number: str, step: str) -> bool:
        """Whether a license is given up on the source; an emergency activation ends where the target has it in hand."""
        asked = step in (MOVE, FINISH_MOVE, END) or (step == FINISH and self._bridges(number))
        return asked and bool(self._source.get("reachable", True))

    def _bridges(self, number: str) -> bool:
        """Whether the source serves a license in an emergency only."""
        given = self._given.get(number, {})
        return is_live(given) and bool(given.get("until"))

    def _serves(self, number: str) -> bool:
        """Whether the source serves a license that it has for good."""
        given = self._given.get(number, {})
        return is_live(given) and not given.get("until")

    def _is_void(self, number: str) -> bool:
        """Whether no machine holds a license by the authority's word: what the source shows of it is worth nothing."""
        return self._quotes.get(number, {}).get("live") is False

    def _is_elsewhere(self, number: str) -> bool:
        """Whether another machine than the target holds a license, by the authority's word."""
        quote = self._quotes.get(number, {})
        return bool(quote.get("live") and quote.get("spends"))

    def _is_free(self, number: str) -> bool:
        """Whether no machine holds a license: by the authority's word or, where it was not asked, by what is seen."""
        live = self._quotes.get(number, {}).get("live")
        return self._gave_back(number) if live is None else live is False

    def _until(self, number: str) -> str | None:
        """When the emergency activation ends that the target has, or would get."""
        taken = self._taken.get(number, {})
        running = taken.get("until") if taken.get("status") == ACTIVE else None
        found = running or self._quotes.get(number, {}).get("until")
        return str(found) if found else None

    def _spends(self, number: str, step: str) -> int | None:
        if step in (KEEP, EMERGENCY, END):
            return 0
        quote, bridged = self._quotes.get(number, {}), self._taken.get(number, {}).get("until")
        if bridged and (step in (MOVE, FINISH_MOVE) or (step == ACTIVATE and quote.get("live") is None)):
            return 1  # what bridges spends nothing, which is all that was asked about
        quoted = quote.get("spends")
        if quoted is not None:
            return int(quoted)
        if step == SERVE:
            return 0
        # Offline, the source holds the license, so the target is another machine than the last (DESIGN: transfer).
        return 1 if step in (MOVE, FINISH_MOVE) else None

    def _account(self, one: DeclaredLicense) -> Account | None:
        # A host knows what was spent when it activated the license: the authority knows better, and who did it later.
        sides = [self._taken.get(one.number, {}), self._given.get(one.number, {})]
        sides.sort(key=_serial, reverse=True)
        known = [self._quotes.get(one.number, {}), *sides, self._remembered.get(one.number, {})]
        found = next((side["transfers"] for side in known if side.get("transfers")), None)
        return Account.from_dict(one.nodelock, found, f"license {one.number}") if found else None

    def _problems(self, rows: Sequence[Mapping[str, Any]]) -> list[Problem]:
        both = on_both([one.number for one in self._wanted], self._source, self._target)
        copies = self.copies()
        if copies or all(row["step"] == KEEP for row in rows):
            return both + copies
        problems = both + self._realms()
        if any(self._gives_up(row["number"], row["step"]) for row in rows):
            problems += [Problem(**obstacle) for obstacle in self._source.get("obstacles", [])]
        for one, row in zip(self._wanted, rows):
            given = self._given.get(one.number, {})
            place = f"license {one.number}"
            if row["step"] == KEEP:
                continue
            drifts = self.drifts(one.number)
            problems += drifts
            if given.get("status") == EXPIRED:
                problems.append(self._invalid(one.number, given))
            live = self._quotes.get(one.number, {}).get("live")
            if row["step"] == ACTIVATE and row["spends"] and live and not drifts:
                what = f"License {one.number} is live on a license server, but {self._source['host']} does not hold it."
                todo = "Name the host that holds it as the source; restore its nodelock there if it was lost."
                problems.append(Problem(what, place, todo))
            account = self._account(one)
            if row["spends"] and row["step"] == MOVE and account is not None and not account.left(self._now):
                returns = account.as_dict(self._now)["returns"]
                what = f"License {one.number} has spent its {account.rule.limit} transfers."
                problems.append(Problem(what, place, f"The next one returns at {returns}; wait, or ask the licensor."))
        return problems

    def drifts(self, number: str) -> list[Problem]:
        """Return which hosts were another machine when a license was activated there, or its pending activation made.

        Where it is live nowhere, only the pending one counts.
        """
        quote, sides = self._quotes.get(number), (self._source, self._target)
        pending = asked_on_another_machine(number, sides)
        if quote is not None and quote.get("live") is False:
            return pending
        if is_copied(number, *sides):
            return []
        asked = quote is not None
        # What another machine has got since is nothing to release.
        told = [side for side in sides if not (asked and quote and self._has_another(number, quote, side))]
        return pending + another_machine(number, told, asked)

    @staticmethod
    def _has_another(number: str, quote: Mapping[str, Any], side: Mapping[str, Any]) -> bool:
        """Whether, by the authority's word, another key holds a license than the one that a host shows."""
        shows, holder = _by_number(side["overview"]).get(number, {}).get("holder"), quote.get("holder")
        return bool(quote.get("live") and holder and shows) and holder != shows

    def _asked(self, rows: Sequence[Mapping[str, Any]]) -> list[Problem]:
        """What is pending that was asked for when the host was another machine."""
        numbers = [row["number"] for row in rows if row["step"] != KEEP]
        return [problem for n in numbers for problem in asked_on_another_machine(n, (self._source, self._target))]

    def _invalid(self, number: str, given: Mapping[str, Any]) -> Problem:
        """Say why a license is not valid today by the clock of the source, which alone has looked."""
        place = f"license {number}"
        if given.get("invalid") == f"is not valid before {given.get('start')}":
            what = f"License {number} is not valid before {given['start']}, by the clock of {self._source['host']}."
            return Problem(what, place, "Correct that clock if it is behind, or wait for the day.")
        return Problem(
            f"License {number} expired on {given['expiry']}.", place, "Ask the licensor for a renewed license."
        )

    def _declared(self) -> list[Problem]:
        """What stands against the way in which the licenses are declared, whether or not they are to be moved.

        The target judges by the same functions when it activates.
        """
        online = self._target.get("authority") != OFFLINE
        overviews = [self._target["overview"], self._source["overview"], *self._bundled]
        problems: list[Problem] = []
        for license in self._wanted:
            shown = self._taken.get(license.number, {})
            locked = lock_type(shown) if not shown.get("until") else None
            problems += against_nodelock(license, locked, online) + wrong_code(license, overviews)
        return problems

    def copies(self) -> list[Problem]:
        """Return which host is a copy of the other one, or one with it, as far as that stands against the plan."""
        sides = self._source, self._target
        numbers = [one.number for one in self._wanted]
        one = one_place(*sides)
        if one:
            return one
        settled = self._is_settled()
        twice = [n for n in numbers if all(is_live(side.get(n, {})) for side in (self._given, self._taken))]
        clones = cloned(*sides, back=bool(self._target.get("returns"))) if twice or not settled else []
        if clones or settled:
            return clones
        return copied_home(*sides) or copied_nodelocks(numbers, *sides)

    def _is_settled(self) -> bool:
        return all(self._step(one.number)[1] == KEEP for one in self._wanted)

    def _realms(self) -> list[Problem]:
        realms = [side["overview"]["server"]["realm"] for side in (self._source, self._target)]
        if None in realms or realms[0]["key"] == realms[1]["key"]:
            return []
        return [
            Problem(
                f"{self._source['host']} honours realm {realms[0]['id']} ({realms[0]['name']}), {self._target['host']} "
                f"realm {realms[1]['id']} ({realms[1]['name']}).",
                "realm",
                "Install a new home on the target; a license server does not change its realm.",
            )
        ]

    def _names(self) -> list[Problem]:
        """Which declared profiles the target has for licenses that stay there, also where nothing is left to move."""
        declared = {one.number for one in self._wanted}
        here = [number for number, one in self._taken.items() if one["status"] in (*HELD, PENDING_ACTIVATION)]
        others = {*here, *self._opening}.difference(declared)
        current = _profiles(self._target["overview"])
        return taken_names(named(self._wanted, self._further), current, others, str(self._target["host"]))

    def _notes(self) -> list[str]:
        wanted = {one.number for one in self._wanted}
        source = self._source["host"]
        notes = [
            f"License {number} is {given['status'].lower()} on {source} but not declared: it stays there."
            for number, given in self._given.items()
            if number not in wanted and given["status"] in (*HELD, PENDING_ACTIVATION, PENDING_DEACTIVATION)
        ]
        notes += [
            f"License {number} is served on {source}, but held by nobody: it was released, or {source} was restored "
            "from a time when it had it. Giving it up there ends its service."
            for number in sorted(wanted)
            if self._is_void(number) and self._serves(number)
        ]
        notes += [
            f"License {number} is active on {source}, so that its activation, pending on {self._target['host']}, will "
            "be refused. The run after that moves it."
            for number in sorted(wanted)
            if self._opening.get(number) == ASKED and self._serves(number)
        ]
        notes += [
            f"License {license.number} has a personal nodelock on {self._target['host']}, and is declared with a "
            "machine nodelock: reconcile asks the authority for that."
            for license in self._wanted
            if is_live(self._taken.get(license.number, {})) and lock_type(self._taken[license.number]) == PERSONAL
            if license.nodelock == MACHINE
        ]
        if not self._source.get("reachable", True):
            notes.append(f"{source} cannot be reached; nothing is needed from it any more.")
        for side in (self._source, self._target):
            drifts = [one.get("drift") or {} for one in side["overview"]["licenses"]]
            told = [f"{one['components']}. {one['means']}" for one in drifts if one.get("verdict") == DRIFTED]
            notes += [
                f"{side['host']} has changed since its licenses were activated: {what}" for what in dict.fromkeys(told)
            ]
        if self._source.get("reachable", True) and self._is_settled():
            notes += [f"{copy.what} {copy.todo}" for copy in copied_home(self._source, self._target)]
        return notes + [note for one in self._wanted for note in self._renamings(one)]

    def _renamings(self, one: DeclaredLicense) -> list[str]:
        """Which names of a license clients will ask for in vain."""
        source, target = self._source["host"], self._target["host"]
        names = [profile.name for profile in _profiles(self._source["overview"]) if profile.license == one.number]
        there = [profile.name for profile in named(self._wanted, self._further) if profile.license == one.number]
        gone = [name for name in names if name not in there]
        if self._kept:
            use = " or ".join(there)
            return [
                f"Profile {name} of {source} is not carried over to {target}: clients must use {use}." for name in gone
            ]
        notes = []
        if one.profile and gone and one.profile not in names:
            notes.append(f"Profile {gone[0]} of {source} is declared as {one.profile}: clients must use the new name.")
        return notes + [
            f"Profile {name} of {source} for license {one.number} is not declared: it is not carried over."
            for name in (gone if one.profile in names else gone[1:])
        ]


def limits(numbers: Sequence[str], overview: Mapping[str, Any], host: str) -> list[str]:
    """Tell of licenses that a host holds and serves not, or not as the authority has them: moving mends neither."""
    told = []
    for one in overview["licenses"]:
        number = one["number"]
        command = f"licman --nodelock-update {number}"
        if number in numbers and one["status"] == EXPIRED:
            dates = f"it is valid from {one['start']} to {one['expiry']}"
            told.append(
                f"License {number} is not served on {host}: {dates}. Have it renewed, then fetch it there: {command}"
            )
        if number in numbers and one["status"] == PENDING_UPDATE and not one.get("fenced"):
            told.append(
                f"License {number} is served on {host} as it was; its update is pending. Finish it there: {command}"
            )
    return told


def _serial(license: Mapping[str, Any]) -> int:
    """The serial of the response that activated a license: an authority's only rise. A bundle may tell anything."""
    serial = license.get("serial")
    return serial if isinstance(serial, int) else 0


def _moves(pending: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The pending exchanges that decide who holds a license, by its number."""
    return {one["number"]: one["action"] for one in pending if one["action"] != UPDATE}


def _profiles(overview: Mapping[str, Any]) -> list[Profile]:
    return [Profile(one["name"], one["license"], bool(one.get("default"))) for one in overview["profiles"]]


def _as_kept(
    current: Sequence[Profile], wanted: Sequence[DeclaredLicense], further: Sequence[Profile]
) -> tuple[list[DeclaredLicense], list[Profile]]:
    """What is declared of profiles, as a server has it that keeps those that it has."""
    after = keep_profiles(current, wanted, further)
    first = {profile.license: profile.name for profile in reversed(after)}
    declared = [replace(one, profile=first[one.number]) for one in wanted]
    return declared, [
        one for one in after if one.license in {w.number for w in wanted} and one.name != first[one.license]
    ]


def _by_number(overview: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {license["number"]: license for license in overview["licenses"]}


def step_in_words(row: Mapping[str, Any]) -> str:
    """Return the step of a plan's license, with the day on which it ends where it does."""
    until = str(row.get("until") or "")[:10]
    return f"{row['step']} until {until}" if until else str(row["step"])


def release_advice(numbers: Sequence[str], host: str, authority: str | None) -> str | None:
    """Say what only the authority's owner can do about licenses that a lost host holds, with the commands."""
    if not numbers:
        return None
    commands = "".join(f"\n  {release_command(number, host, authority)}" for number in numbers)
    return (
        f"Live on {host} by the authority's account: {', '.join(numbers)}. If {host} is lost for good, have the "
        f"authority's owner release each, then run the same command again:{commands}"
    )


def release_command(number: str, host: str, authority: str | None) -> str:
    """Return the command by which the authority's owner releases a license that a lost host holds."""
    found = str(authority or "")
    ledger = found.partition(":")[2] if found.startswith("ledger:") else "PATH"
    reason = shlex.quote(f"{host} is lost")
    return f"authority release {number} --ledger {shlex.quote(ledger)} --reason {reason}"


def plan_text(plan: Mapping[str, Any], source: str, target: str) -> str:
    """Return the plan as a table for a terminal."""
    rows = [
        [
            row["number"],
            row["profile"] or "",
            row["state"],
            step_in_words(row),
            "?" if row["spends"] is None else row["spends"],
            "?" if row["left"] is None else row["left"],
            row["returns"] or "",
        ]
        for row in plan["licenses"]
    ]
    headers = ("License", "Profile", "Now", "Step", "Spends", "Left then", "Next returns")
    told = [f"Note: {note}" for note in (*plan["notes"], *plan["limits"])]
    told += plan.get("files", {}).get("words", [])
    told += [plan["next_step"]] if plan["next_step"] else []
    notes = "".join(f"\n{line}" for line in told)
    done = "Nothing is left to do." if plan["settled"] else ""
    return f"Plan {source} -> {target}\n{text_table(headers, rows)}{notes}\n{done}".rstrip() + "\n"
