# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Activates licenses by the vendor's command, once each: the intent first, then the command, then the evidence.

An exit code never decides. Whatever the command said, a nodelock that came is an activation; where none came, nobody
knows what the vendor's authority has counted, and the run stops until a person has looked (invariant I3).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from ...declared import DeclaredLicense
from ...errors import LicensingError, Problem
from ...model import PERSONAL
from ...remedies import explain
from ..results import Action, LicenseResult
from .attempts import ACTIVATE, ADD_PROFILE, DEACTIVATE, Attempt, Key
from .evidence import Snapshot, compare, take_snapshots
from .licman import End
from .site import CUT_OFF, Site, with_done

PROFILE_UNSEEN = "licman has added profile {}; no documented file shows profiles, so look in the license manager"
PROFILE_BY_A_PERSON = "no documented file shows whether profile {} is there: look in the license manager"


def foresee(site: Site, licenses: Sequence[DeclaredLicense]) -> dict[str, LicenseResult]:
    """Return what :func:`activate` would do; refuse with everything that would stop it."""
    snapshots = take_snapshots(site.layout(), [license.number for license in licenses])
    attempts, given_back = site.attempts.open(), site.released(snapshots)
    problems = [
        problem for license in licenses for problem in _problems(site, license, snapshots, attempts, given_back)
    ]
    missing = [
        license for license in licenses if not snapshots[license.number].has_nodelock or license.number in given_back
    ]
    if missing:
        problems += site.busy_problems()
    if problems:
        raise LicensingError(problems)
    return {
        license.number: LicenseResult(license.number, Action.ACTIVATED, spends=None)
        if (license in missing or (license.number, ACTIVATE, "") in attempts)
        else LicenseResult(license.number, Action.UNCHANGED)
        for license in licenses
    }


def activate(site: Site, licenses: Sequence[DeclaredLicense]) -> dict[str, LicenseResult]:
    """Activate those that have no nodelock, one by one, and add their profiles.

    :raises LicensingError: before anything is done, with everything that stands in the way; or after a command whose
        effect nothing shows
    """
    site.attempts.prepare()
    results: dict[str, LicenseResult] = {}
    with site.attempts.folder.locked():
        foresee(site, licenses)
        for license in licenses:
            try:
                results[license.number] = _activate(site, license)
            except LicensingError as error:
                done = [number for number, result in results.items() if result.is_over]
                raise with_done(error, done, "activated") from None
    return results


def _activate(site: Site, license: DeclaredLicense) -> LicenseResult:
    attempts = site.attempts.open()
    attempt, now = attempts.get((license.number, ACTIVATE, "")), site.snapshot(license.number)
    if attempt is None and now.has_nodelock and not site.released({license.number: now}):
        result = LicenseResult(license.number, Action.UNCHANGED)
    else:
        _have_activated(site, license, attempt)
        result = LicenseResult(license.number, Action.ACTIVATED, spends=None)
    note = _add_profile(site, license)
    return LicenseResult(result.number, result.action, result.spends, note=note)


def _have_activated(site: Site, license: DeclaredLicense, attempt: Attempt | None) -> None:
    """Run the command unless an earlier run did, wait for its effect, and close the attempt."""
    if attempt is None:
        before = site.snapshot(license.number)
        attempt = Attempt(license.number, ACTIVATE, site.now(), before)
        attempt, _outcome = site.run_once(
            attempt, lambda: site.licman.activate(license.number, license.activation_code or "")
        )
        if not site.wait(attempt, lambda evidence: evidence.shows_activation).shows_activation:
            raise LicensingError([doubt(site, attempt)])
    if license.profile:
        # Before the attempt is closed: cut off in between, nobody would know that the profile is still to come.
        site.attempts.plan(Attempt(license.number, ADD_PROFILE, site.now(), attempt.before, license.profile))
    site.attempts.close(attempt)


def _add_profile(site: Site, license: DeclaredLicense) -> str | None:
    """Add the profile of a license that was activated by this or an earlier call; return what is to be said of it."""
    attempt = site.attempts.open().get((license.number, ADD_PROFILE, ""))
    if attempt is None or attempt.profile is None:
        return PROFILE_BY_A_PERSON.format(license.profile) if license.profile else None
    profile, number = attempt.profile, attempt.number
    attempt, outcome = site.run_once(attempt, lambda: site.licman.add_profile(profile, number))
    if (outcome.end, outcome.code) != (End.EXITED, 0):
        raise LicensingError([doubt_of_profile(site, attempt)])
    site.attempts.close(attempt)
    return PROFILE_UNSEEN.format(profile)


def _problems(
    site: Site,
    license: DeclaredLicense,
    snapshots: Mapping[str, Snapshot],
    attempts: Mapping[Key, Attempt],
    given_back: Mapping[str, str],
) -> list[Problem]:
    number, snapshot, where = license.number, snapshots[license.number], site.licman.where
    attempt, adding = attempts.get((number, ACTIVATE, "")), attempts.get((number, ADD_PROFILE, ""))
    problems = []
    if (number, DEACTIVATE, "") in attempts:
        what = f"The deactivation of license {number} on this host is not over."
        problems.append(Problem(what, where, "Deactivate it again (aims_license_deactivate) to bring it to an end."))
    if attempt is not None and not compare(attempt.before, snapshot).shows_activation:
        return [doubt(site, attempt)]
    if adding is not None and not adding.is_due:
        problems.append(doubt_of_profile(site, adding))
    if snapshot.has_nodelock and number not in given_back:
        return problems
    if snapshot.pending:
        what = f"An offline exchange of license {number} is pending ({', '.join(snapshot.pending)})."
        todo = "Load its response in the license manager, or interrupt it there if its request was not uploaded."
        problems.append(Problem(what, where, todo))
    if snapshot.is_half_written:
        what = f"The nodelock of license {number} is half-written, which shows neither an activation nor none."
        problems.append(Problem(what, where, "Look again in a minute, and in the license manager."))
    if license.nodelock == PERSONAL:
        what = f"License {number} is declared with a personal nodelock; licman's documented command makes machine ones."
        problems.append(Problem(what, where, "Declare nodelock: machine, or activate it in the license manager."))
    if license.activation_code is None:
        what = f"The activation code of license {number} is missing."
        problems.append(Problem(what, where, "Give the code with the license (activation_code, codes_from)."))
    return problems


def doubt(site: Site, attempt: Attempt) -> Problem:
    how = attempt.outcome or CUT_OFF
    place = site.attempts.place(attempt)
    return Problem(
        f"Whether license {attempt.number} was activated is not known: no nodelock has come. licman {how}",
        place,
        f"{explain(how)}Look in the license manager, or ask the vendor, whether the license is active here. Only if "
        f"it is not, remove the record (rm -f {shlex.quote(place)}), and run this again: that may spend a transfer.",
    )


def doubt_of_profile(site: Site, attempt: Attempt) -> Problem:
    how = attempt.outcome or CUT_OFF
    place = site.attempts.place(attempt)
    return Problem(
        f"Whether profile {attempt.profile} was added for license {attempt.number} is not known. licman {how}",
        place,
        f"{explain(how)}Look in the license manager whether the profile is there, and add it if it is not. Then remove "
        f"the record (rm -f {shlex.quote(place)}), and run this again.",
    )
