# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The overview page and the migration report: pure functions from data to HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import HELD
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.environment import ENVIRONMENT
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.format import (
    DASH,
    address_in_words,
    as_int,
    as_list,
    as_map,
    as_maps,
    counted,
    day_of,
    duration_in_words,
    in_words,
    part_of,
    time_in_words,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.tables import (
    Cell,
    Table,
    client_table,
    code_cell,
    is_installed,
    license_table,
    linked_table,
    pending_table,
    profile_table,
    transfer_cells,
    var_table,
)


def overview_page(overview: Mapping[str, Any], host: str, made: str, digest: str) -> str:
    """What the license manager's overview shows of `host`, as one self-contained HTML page.

    The same arguments give the same bytes: the page is part of a bundle that is compared with its successor.
    """
    overview = as_map(overview)
    server, licenses = as_map(overview.get("server")), as_maps(overview.get("licenses"))
    realm = as_map(server.get("realm"))
    pending = as_maps(overview.get("pending"))
    left = [n for lic in licenses if (n := as_int(as_map(lic.get("transfers")).get("left"))) is not None]
    active = sum(lic.get("status") == "Active" for lic in licenses)
    in_use = [as_int(lic.get("in_use")) for lic in licenses]
    # Unknown as long as no service counts them, which is not the same as none.
    used = None if None in in_use else sum(number or 0 for number in in_use)
    seats = sum(as_int(lic.get("seats")) or 0 for lic in licenses)
    banners = []
    if not is_installed(overview):
        banners.append(("warn", "No license server", "No license server is installed on this host."))
    if server.get("maintenance") is True:
        banners.append(
            ("warn", "Maintenance mode", "The server is in maintenance mode: leaving it restarts the server.")
        )
    if pending:
        words = "Load each response on this host. Never make a second request for a license while one is pending."
        banners.append(("warn", f"{counted(len(pending), 'request')} pending", words))
    return ENVIRONMENT.get_template("overview.html.j2").render(
        title=f"License server overview: {in_words(host)}",
        host=in_words(host),
        made=time_in_words(made),
        digest=in_words(digest),
        banners=banners,
        tiles=[
            ("Active licenses", f"{active} of {len(licenses)}"),
            ("Seats in use", part_of(used, seats)),
            ("Profiles", str(len(as_maps(overview.get("profiles"))))),
            ("Pending requests", str(len(pending))),
            ("Fewest transfers left", str(min(left)) if left else DASH),
        ],
        licenses=license_table(overview),
        var=var_table(overview),
        profiles=profile_table(overview),
        clients=client_table(overview),
        users=[in_words(user) for user in as_list(overview.get("users"))],
        pending=pending_table(overview),
        facts=[
            ("Host", Cell(in_words(host))),
            ("Installed", Cell(in_words(server.get("installed")))),
            ("Version", Cell(in_words(server.get("version")))),
            ("Package digest", code_cell(server.get("digest"))),
            ("Backend", Cell(in_words(server.get("backend")))),
            ("Home", code_cell(server.get("home"))),
            ("Root", code_cell(server.get("root"))),
            ("Home id", code_cell(server.get("home_id"))),
            ("Maintenance mode", Cell(in_words(server.get("maintenance")))),
            ("Realm", Cell(in_words(realm.get("name")))),
            ("Realm id", code_cell(realm.get("id"))),
            ("Authority", Cell(address_in_words(server.get("authority")), code=True)),
        ],
    )


def _held(overview: Mapping[str, Any]) -> set[str]:
    return {in_words(x.get("number")) for x in as_maps(overview.get("licenses")) if x.get("status") in HELD}


def _in_order(*many: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(item for items in many for item in items))


def _differences(report: Mapping[str, Any], source: str, target: str) -> list[str]:
    """Where the target is not what the source was, in words; what the target has besides is no difference."""
    before, after = as_map(report.get("before")), as_map(report.get("after"))
    found = []
    here = {in_words(lic.get("number")): lic for lic in as_maps(after.get("licenses"))}
    for lic in as_maps(before.get("licenses")):
        number = in_words(lic.get("number"))
        if number not in here:
            found.append(f"License {number} is not on {target}.")
            continue
        for field, words in (("seats", "seats"), ("expiry", "expiry"), ("protection", "protection")):
            was, now = in_words(lic.get(field)), in_words(here[number].get(field))
            if was != now:
                found.append(f"License {number}: {words} was {was}, is {now}.")
    profiles = {in_words(profile.get("name")): profile for profile in as_maps(after.get("profiles"))}
    names = [in_words(profile.get("name")) for profile in as_maps(before.get("profiles"))]
    for profile in as_maps(before.get("profiles")):
        name = in_words(profile.get("name"))
        if name not in profiles:
            found.append(f"Profile {name} is not on {target}.")
            continue
        for field, words in (("license", "license"), ("reuse", "re-use"), ("default", "default")):
            was, now = in_words(profile.get(field)), in_words(profiles[name].get(field))
            if was != now:
                found.append(f"Profile {name}: {words} was {was}, is {now}.")
    if [name for name in names if name in profiles] != [name for name in profiles if name in names]:
        found.append(f"The profiles stand in another order: they were {', '.join(names)}.")
    users = [in_words(user) for user in as_list(after.get("users"))]
    found += [
        f"User {in_words(u)} is not registered on {target}."
        for u in as_list(before.get("users"))
        if in_words(u) not in users
    ]
    moved = {in_words(number) for number in as_list(report.get("moved"))}
    for lic in as_maps(as_map(report.get("source_after")).get("licenses")):
        if in_words(lic.get("number")) in moved and lic.get("status") in HELD and not lic.get("fenced"):
            found.append(
                f"License {in_words(lic.get('number'))} was moved, yet {source} still shows it as {lic['status']}."
            )
    return found


def _plan_table(report: Mapping[str, Any], waiting: set[str]) -> Table:
    moved = {in_words(number) for number in as_list(report.get("moved"))}
    held = _held(as_map(report.get("after")))
    known: dict[str, Mapping[str, Any]] = {}
    # The latest word on a license's transfers counts: the target's after the move, then the source's, then the plan's.
    for side in ("source_after", "after"):
        for lic in as_maps(as_map(report.get(side)).get("licenses")):
            if as_map(lic.get("transfers")).get("left") is not None:
                known[in_words(lic.get("number"))] = lic
    rows = []
    for item in as_maps(as_map(report.get("plan")).get("licenses")):
        number = in_words(item.get("number"))
        if number in waiting:
            result = Cell("Waiting for response", "warn")
        elif number not in held:
            result = Cell("Not on the target", "bad")
        else:
            result = Cell("Moved", "good") if number in moved else Cell("In place", "quiet")
        planned = {"transfers": {"left": item.get("left"), "returns": item.get("returns")}}
        left, returns = transfer_cells(known.get(number, planned))
        until = f" until {day_of(item['until'])}" if item.get("until") else ""
        state, step = Cell(in_words(item.get("state"))), Cell(f"{in_words(item.get('step'))}{until}")
        name = Cell(in_words(item.get("profile")))
        rows.append([name, code_cell(number), state, step, result, Cell(in_words(item.get("spends"))), left, returns])
    headers = ("Profile", "License", "State", "Step", "Result", "Spends", "Transfers left", "Next one returns")
    return Table("Licenses and transfers", headers, rows, "The plan names no licenses.")


def _seats_tile(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How many profiles gave a seat, where a server ran that could be asked."""
    rows = as_maps(report.get("seats"))
    serving = [row for row in rows if row.get("outcome") != "refused"]
    return [("Profiles that gave a seat", f"{len(serving)} of {len(rows)}")] if rows else []


def _drained_note(report: Mapping[str, Any], source: str) -> list[str]:
    """What waiting for clients came to, where there were any to wait for."""
    drained = as_map(report.get("drained"))
    waited, left = drained.get("seconds"), as_int(drained.get("total"))
    if left:
        return [f"{counted(left, 'seat')} were still in use on {source} when its licenses were fenced."]
    return [f"The clients on {source} gave their seats back within {duration_in_words(waited)}."] if waited else []


def report_page(report: Mapping[str, Any]) -> str:
    """What a migration or rollback did, as one self-contained HTML page.

    `pair.source` is the host the licenses leave and `pair.target` the host that gets them, in a rollback too.
    """
    report = as_map(report)
    pair, plan = as_map(report.get("pair")), as_map(report.get("plan"))
    before, after, source_after = (as_map(report.get(key)) for key in ("before", "after", "source_after"))
    source, target = in_words(pair.get("source")), in_words(pair.get("target"))
    noun = "Rollback" if report.get("direction") == "rollback" else "Migration"
    moved = _in_order(in_words(number) for number in as_list(report.get("moved")))
    planned = _in_order((in_words(item.get("number")) for item in as_maps(plan.get("licenses"))), moved)
    missing = [number for number in planned if number not in _held(after)]
    pending = as_maps(report.get("pending"))
    files = as_map(report.get("files"))
    lost_files = as_list(files.get("missing"))
    done = f"{len(planned) - len(missing)} of {counted(len(planned), 'license')}"
    if pending:
        kind, headline = "warn", f"Waiting for {counted(len(pending), 'response')}"
        summary = f"{done} on {target} so far."
    elif plan.get("release"):
        kind, headline = "warn", f"{counted(len(as_list(plan['release'])), 'license')} to be released"
        summary = f"{done} on {target} so far."
    elif files.get("unknown") or (lost_files and not files.get("waived")):
        kind, headline = "bad", f"{noun} not complete"
        listed = ", ".join(in_words(name) for name in lost_files) or "which files moved is not known"
        summary = f"{done} on {target}; missing: {', '.join([*missing, listed])}."
    elif missing:
        kind, headline = "bad", f"{noun} not complete"
        summary = f"{done} on {target}; missing: {', '.join(missing)}."
    elif moved:
        kind, headline = "good", f"{noun} complete"
        summary = f"{counted(len(moved), 'license')} moved from {source} to {target}."
    else:
        kind, headline = "quiet", "Nothing to do"
        summary = f"{done} already on {target}." if planned else "There are no licenses to move."
    spent = sum(
        as_int(x.get("spends")) or 0 for x in as_maps(plan.get("licenses")) if in_words(x.get("number")) in moved
    )
    requests = [
        [
            Cell(in_words(p.get("host"))),
            code_cell(p.get("number")),
            Cell(in_words(p.get("action"))),
            code_cell(p.get("file")),
        ]
        for p in pending
    ]
    compared = bool(before) and bool(after) and not pending
    bare = "No license server is installed."
    nothing = "No licenses and no profiles."
    seen = "When last seen" if plan.get("lost") else "Now"
    return ENVIRONMENT.get_template("report.html.j2").render(
        title=f"{headline}: {source} to {target}",
        noun=noun,
        kind=kind,
        headline=headline,
        summary=summary,
        source=source,
        target=target,
        made=time_in_words(report.get("made")),
        next_step=in_words(report["next_step"], keep="\n\t") if report.get("next_step") else "",
        compared=compared,
        differences=_differences(report, source, target) if compared else [],
        tiles=[
            ("Licenses moved", f"{len(moved)} of {len(planned)}"),
            ("Without license server", duration_in_words(report.get("without_service_seconds"))),
            ("Transfers spent", str(spent)),
            *_seats_tile(report),
            ("Responses awaited", str(len(pending))),
        ],
        requests=Table("Responses awaited", ("Host", "License", "Action", "Request file"), requests, ""),
        before=linked_table(before, f"Before, on {source}", nothing if is_installed(before) else bare),
        after=linked_table(after, f"After, on {target}", nothing if is_installed(after) else bare),
        left_behind=linked_table(source_after, f"{seen}, on {source}", nothing if is_installed(source_after) else bare),
        plan=_plan_table(report, {in_words(request.get("number")) for request in pending}),
        notes=[
            *(in_words(note) for name in ("notes", "limits") for note in as_list(plan.get(name))),
            *_drained_note(report, source),
        ],
        strings=[
            (in_words(s.get("profile")), in_words(s.get("string"))) for s in as_maps(report.get("connection_strings"))
        ],
        licenses_cfg="\n".join(in_words(line, keep="\t") for line in as_list(report.get("licenses_cfg"))),
        bundle=in_words(report.get("bundle")),
    )
