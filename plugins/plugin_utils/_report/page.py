# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a report: a pure function from data to HTML."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView, Transfers
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.verification import REFUSED
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import PlannedLicense
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.environment import ENVIRONMENT
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.format import (
    counted,
    day_of,
    duration_in_words,
    in_words,
    time_in_words,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.tables import (
    Cell,
    Table,
    code_cell,
    linked_table,
    transfer_cells,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._report.report import Report


@dataclass(frozen=True)
class _Summary:
    """What a report comes to, in words.

    :ivar kind: the colour, as of a badge
    """

    kind: str
    headline: str
    text: str


def report_page(report: Report) -> str:
    """Return what a migration or rollback did, as one self-contained HTML page."""
    source, target = in_words(report.pair.source), in_words(report.pair.target)
    summary = _summary(report, source, target)
    is_compared = not report.pending
    seen = "When last seen" if report.plan.is_lost else "Now"
    return ENVIRONMENT.get_template("report.html.j2").render(
        title=f"{summary.headline}: {source} to {target}",
        noun=_noun(report),
        kind=summary.kind,
        headline=summary.headline,
        summary=summary.text,
        source=source,
        target=target,
        made=time_in_words(report.made),
        next_step=in_words(report.next_step, keep="\n\t") if report.next_step else "",
        compared=is_compared,
        differences=_differences(report, source, target) if is_compared else [],
        tiles=[
            ("Licenses moved", f"{len(report.moved)} of {len(report.planned)}"),
            ("Without license server", duration_in_words(report.without_service_seconds)),
            ("Transfers spent", str(report.spent)),
            *_seats_tile(report),
            ("Responses awaited", str(len(report.pending))),
        ],
        requests=_requests_table(report),
        before=_side_table(report.before, f"Before, on {source}"),
        after=_side_table(report.after, f"After, on {target}"),
        left_behind=_side_table(report.source_after, f"{seen}, on {source}"),
        plan=_plan_table(report),
        notes=[*(in_words(note) for note in (*report.plan.notes, *report.plan.limits)), *_drained_note(report, source)],
        strings=[(in_words(entry.profile), in_words(entry.string)) for entry in report.connection_strings],
        licenses_cfg="\n".join(in_words(line, keep="\t") for line in report.licenses_cfg),
        bundle=in_words(report.bundle),
    )


def _noun(report: Report) -> str:
    return "Rollback" if report.is_rollback else "Migration"


def _summary(report: Report, source: str, target: str) -> _Summary:
    planned, files = report.planned, report.files
    lacking = [in_words(number) for number in report.not_held]
    done = f"{len(planned) - len(lacking)} of {counted(len(planned), 'license')}"
    if report.pending:
        return _Summary(
            "warn", f"Waiting for {counted(len(report.pending), 'response')}", f"{done} on {target} so far."
        )
    if report.release:
        return _Summary(
            "warn", f"{counted(len(report.release), 'license')} to be released", f"{done} on {target} so far."
        )
    if not files.is_complete:
        lacking.append(", ".join(map(in_words, files.missing)) or "which files moved is not known")
    if lacking:
        return _Summary("bad", f"{_noun(report)} not complete", f"{done} on {target}; missing: {', '.join(lacking)}.")
    if report.moved:
        moved = f"{counted(len(report.moved), 'license')} moved from {source} to {target}."
        return _Summary("good", f"{_noun(report)} complete", moved)
    nothing = f"{done} already on {target}." if planned else "There are no licenses to move."
    return _Summary("quiet", "Nothing to do", nothing)


def _differences(report: Report, source: str, target: str) -> list[str]:
    """Return where the target is not what the source was, in words; what the target has besides is no difference."""
    before, after = report.before, report.after
    sentences = []
    for license in before.licenses:
        now = after.license(license.number)
        sentences += (
            [f"License {in_words(license.number)} is not on {target}."] if now is None else _changes_of(license, now)
        )
    sentences += _profile_differences(before, after, target)
    sentences += [
        f"User {in_words(user)} is not registered on {target}." for user in before.users if user not in after.users
    ]
    return sentences + [
        f"License {in_words(license.number)} was moved, yet {source} still shows it as {license.status}."
        for license in report.source_after.licenses
        if license.number in report.moved and license.is_served
    ]


def _changes_of(was: LicenseView, now: LicenseView) -> list[str]:
    compared = (
        ("seats", was.seats, now.seats),
        ("expiry", was.expiry, now.expiry),
        ("protection", was.protection, now.protection),
    )
    return _changed(f"License {in_words(was.number)}", compared)


def _profile_differences(before: Overview, after: Overview, target: str) -> list[str]:
    sentences = []
    profiles = {profile.name: profile for profile in after.profiles}
    for was in before.profiles:
        now = profiles.get(was.name)
        if now is None:
            sentences.append(f"Profile {in_words(was.name)} is not on {target}.")
            continue
        compared = (
            ("license", was.license, now.license),
            ("default", was.default, now.default),
        )
        sentences += _changed(f"Profile {in_words(was.name)}", compared)
    names = [profile.name for profile in before.profiles]
    if [name for name in names if name in profiles] != [name for name in profiles if name in names]:
        listed = ", ".join(map(in_words, names))
        sentences.append(f"The profiles stand in another order: they were {listed}.")
    return sentences


def _changed(what: str, compared: tuple[tuple[str, object, object], ...]) -> list[str]:
    return [f"{what}: {field} was {in_words(was)}, is {in_words(now)}." for field, was, now in compared if was != now]


def _plan_table(report: Report) -> Table:
    headers = ("Profile", "License", "State", "Step", "Result", "Spends", "Transfers left", "Next one returns")
    rows = [_plan_row(report, license) for license in report.plan.licenses]
    return Table("Licenses and transfers", headers, rows, "The plan names no licenses.")


def _plan_row(report: Report, license: PlannedLicense) -> list[Cell]:
    number = license.number
    if any(response.number == number for response in report.pending):
        result = Cell("Waiting for response", "warn")
    elif number not in report.after.held:
        result = Cell("Not on the target", "bad")
    else:
        result = Cell("Moved", "good") if number in report.moved else Cell("In place", "quiet")
    until = f" until {day_of(license.until)}" if license.until else ""
    return [
        Cell(in_words(license.profile)),
        code_cell(number),
        Cell(in_words(license.state)),
        Cell(f"{license.step}{until}"),
        result,
        Cell(in_words(license.spends)),
        *transfer_cells(_transfers(report, license)),
    ]


def _transfers(report: Report, license: PlannedLicense) -> Transfers:
    """Return the latest word on a license's transfers: the target's after the move, the source's, or the plan's."""
    for overview in (report.after, report.source_after):
        shown = overview.license(license.number)
        if shown is not None and shown.transfers is not None and shown.transfers.left is not None:
            return shown.transfers
    return Transfers(None, None, (), license.left, license.returns)


def _requests_table(report: Report) -> Table:
    rows = [
        [
            Cell(in_words(response.host)),
            code_cell(response.number),
            Cell(in_words(response.action)),
            code_cell(response.file),
        ]
        for response in report.pending
    ]
    return Table("Responses awaited", ("Host", "License", "Action", "Request file"), rows, "")


def _side_table(overview: Overview, label: str) -> Table:
    bare = "No license server is installed."
    return linked_table(overview, label, bare if overview.server.is_missing else "No licenses and no profiles.")


def _seats_tile(report: Report) -> list[tuple[str, str]]:
    """How many profiles gave a seat, where a server ran that could be asked."""
    serving = [trial for trial in report.seats if trial.outcome != REFUSED]
    return [("Profiles that gave a seat", f"{len(serving)} of {len(report.seats)}")] if report.seats else []


def _drained_note(report: Report, source: str) -> list[str]:
    """What waiting for clients came to, where there were any to wait for."""
    wait = report.drained
    if wait is None:
        return []
    if wait.total:
        return [f"{counted(wait.total, 'seat')} were still in use on {source} when its licenses were fenced."]
    if not wait.seconds:
        return []
    return [f"The clients on {source} gave their seats back within {duration_in_words(wait.seconds)}."]
