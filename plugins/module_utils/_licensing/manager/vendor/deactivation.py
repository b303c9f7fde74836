# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deactivates licenses by the command that an operator names, once each: the intent first, then the evidence.

Only a nodelock that changed or went shows a deactivation, whatever the command printed and however it ended. Without
that the run stops until a person has looked: a license is neither counted as given back nor given back twice.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import LicensingError, Problem
from ...remedies import explain
from ..port import Digests
from ..results import Action, LicenseResult
from .attempts import ACTIVATE, DEACTIVATE, Attempt, Key
from .evidence import Snapshot, compare, take_snapshots
from .named_commands import CODE, NUMBER, NamedCommand
from .site import CUT_OFF, Site, with_done

NO_NODELOCK = "this host has no nodelock of it"
LOCK_STAYS = "its nodelock file has changed, and is still there"


@dataclass(frozen=True)
class Request:
    """Licenses to be deactivated.

    :ivar bundled: the digests of the bundle's nodelocks by file name; None where there is no bundle to compare with
    :ivar codes: license number → activation code, where the command takes it
    """

    numbers: Sequence[str]
    command: NamedCommand
    bundled: Digests | None = None
    codes: Mapping[str, str] = field(default_factory=dict, repr=False)


def foresee(site: Site, request: Request) -> dict[str, LicenseResult]:
    """Return what :func:`deactivate` would do; refuse with everything that would stop it."""
    snapshots = take_snapshots(site.layout(), request.numbers)
    attempts, given_back = site.attempts.open(), site.released(snapshots)
    problems: list[Problem] = []
    results: dict[str, LicenseResult] = {}
    for number in request.numbers:
        held = snapshots[number].has_nodelock and number not in given_back
        if (number, DEACTIVATE, "") in attempts or held or snapshots[number].is_half_written:
            results[number] = LicenseResult(number, Action.DEACTIVATED, fenced_since=given_back.get(number, site.now()))
            problems += _problems(site, request, snapshots[number], attempts)
        else:
            results[number] = _unchanged(number, given_back)
    # An attempt of an earlier run is brought to an end by its evidence; nothing is run for it.
    if any(result.is_over and (number, DEACTIVATE, "") not in attempts for number, result in results.items()):
        problems += site.busy_problems()
        problems += site.command_problems([request.command])
    if problems:
        raise LicensingError(problems)
    return results


def deactivate(site: Site, request: Request) -> dict[str, LicenseResult]:
    """Deactivate those that are held here, one by one.

    :raises LicensingError: before anything is done, with everything that stands in the way; or after a command whose
        effect nothing shows
    """
    site.attempts.prepare()
    results: dict[str, LicenseResult] = {}
    with site.attempts.folder.locked():
        foresee(site, request)
        for number in request.numbers:
            try:
                results[number] = _deactivate(site, request, number)
            except LicensingError as error:
                done = [number for number, result in results.items() if result.is_over]
                raise with_done(error, done, "deactivated") from None
    return results


def _deactivate(site: Site, request: Request, number: str) -> LicenseResult:
    attempt, before = site.attempts.open().get((number, DEACTIVATE, "")), site.snapshot(number)
    if attempt is None:
        given_back = site.released({number: before})
        if not before.has_nodelock or number in given_back:
            return _unchanged(number, given_back)
        values = {NUMBER: number, CODE: request.codes.get(number, "")}
        arguments = request.command.filled(values)
        attempt = Attempt(number, DEACTIVATE, site.now(), before)
        attempt, _outcome = site.run_once(attempt, lambda: site.licman.run(arguments, values[CODE]))
        if not site.wait(attempt, lambda evidence: evidence.shows_deactivation).shows_deactivation:
            raise LicensingError([deactivation_doubt(site, attempt)])
    after = site.snapshot(number)
    site.attempts.close(attempt.seen(after))
    note = LOCK_STAYS if after.has_nodelock else None
    return LicenseResult(number, Action.DEACTIVATED, fenced_since=attempt.made, note=note)


def _unchanged(number: str, given_back: Mapping[str, str]) -> LicenseResult:
    since = given_back.get(number)
    return LicenseResult(number, Action.UNCHANGED, fenced_since=since, note=None if since else NO_NODELOCK)


def _problems(site: Site, request: Request, now: Snapshot, attempts: Mapping[Key, Attempt]) -> list[Problem]:
    number, where = now.number, site.licman.where
    attempt = attempts.get((number, DEACTIVATE, ""))
    if attempt is not None:
        return [] if compare(attempt.before, now).shows_deactivation else [deactivation_doubt(site, attempt)]
    problems = []
    if (number, ACTIVATE, "") in attempts:
        what = f"The activation of license {number} on this host is not over."
        problems.append(Problem(what, where, "Activate it again (aims_license_activate) to bring it to an end."))
    if now.is_half_written:
        what = f"The nodelock of license {number} is half-written, which shows neither an activation nor none."
        return [*problems, Problem(what, where, "Look again in a minute, and in the license manager.")]
    if now.pending:
        what = f"An offline exchange of license {number} is pending ({', '.join(now.pending)})."
        todo = "Load its response in the license manager, or interrupt it there if its request was not uploaded."
        problems.append(Problem(what, where, todo))
    if request.command.takes(CODE) and number not in request.codes:
        what = f"The command for deactivate takes the activation code, and that of license {number} is missing."
        problems.append(Problem(what, request.command.where, "Name the variable that declares it (codes_from)."))
    if request.bundled is not None:
        bundled = Snapshot.of_digests(number, {name: digest or "" for name, digest in request.bundled.items()})
        if (bundled.lock, bundled.version) != (now.lock, now.version):
            what = f"The nodelock of license {number} is not the one of the bundle."
            todo = (
                "Look in the license manager whether the license is still active here. If it is, back this host up "
                "(aims_license_backup), and use that bundle."
            )
            problems.append(Problem(what, where, todo))
    return problems


def deactivation_doubt(site: Site, attempt: Attempt) -> Problem:
    """Say that nobody knows whether a deactivation happened, and how to find out."""
    how, place = attempt.outcome or CUT_OFF, site.attempts.place(attempt)
    return Problem(
        f"Whether license {attempt.number} was deactivated is not known: its nodelock shows no deactivation. "
        f"licman {how}",
        place,
        f"{explain(how)}Look in the license manager, or ask the vendor, whether the license is still active here. Only "
        f"if it is, remove the record (rm -f {shlex.quote(place)}). If it was given back, put the record among the "
        f"closed ones (mv {shlex.quote(place)} {shlex.quote(site.attempts.closed_place(attempt))}). Then run this "
        "again.",
    )
