# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person looks at: the overview page, the migration report, and text tables.

Pure functions from data to text, run on the controller. A page names every field it shows, so that a field
added to the data later (a key, a code) never appears by itself.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

DASH = "\N{EN DASH}"
TERMINAL_WIDTH = 150

_ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?Z")

# A badge's colour; its text always says the same, for eyes and printers without colour.
_STATUS_KIND = {
    "Active": "good",
    "Inactive Nodelock": "quiet",
    "Pending Activation": "warn",
    "Pending Deactivation": "warn",
    "Expired": "bad",
}
# The nodelock is on the machine, whether or not the license has run out.
_HELD = ("Active", "Expired")


# -- values ---------------------------------------------------------------------------------------------------------


def _text(value: object, keep: str = "") -> str:
    """Any value in words. Unprintable characters (terminal escapes, bidi overrides, lone surrogates) are replaced."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return value.strftime("%Y-%m-%d %H:%M UTC")
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value) or DASH
    text = "".join(c if c.isprintable() or c in keep else "\N{REPLACEMENT CHARACTER}" for c in str(value))
    return text if text.strip() else DASH


def _when(value: object) -> str:
    """2026-11-21T19:00:00Z as a person writes it; anything else as it stands."""
    text = _text(value)
    match = _ISO_TIME.fullmatch(text)
    return f"{match[1]} {match[2]} UTC" if match else text


def _day(value: object) -> str:
    return _when(value)[:10]


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else []


def _maps(value: object) -> list[Mapping[str, Any]]:
    return [item for item in _list(value) if isinstance(item, Mapping)]


def _int(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _of(part: object, whole: object) -> str:
    return DASH if part is None and whole is None else f"{_text(part)} of {_text(whole)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _duration(seconds: object) -> str:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < 1e9:
        return DASH
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _address(value: object) -> str:
    """The authority's address without the user and password an URL may carry."""
    return re.sub(r"(?<=//)[^/?#]*@", "", _text(value))


# -- what the template draws ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    text: str
    badge: str = ""
    sub: str = ""
    code: bool = False
    bar: int | None = None


@dataclass(frozen=True)
class Table:
    label: str
    headers: tuple[str, ...]
    rows: list[list[Cell]]
    empty: str


def _code(value: object) -> Cell:
    return Cell(_text(value), code=True)


def _status(lic: Mapping[str, Any]) -> Cell:
    status = _text(lic.get("status"))
    fenced = lic.get("fenced")
    return Cell(status, _STATUS_KIND.get(status, "quiet"), sub=f"fenced since {_when(fenced)}" if fenced else "")


def _mark(value: object) -> Cell:
    return Cell("yes", "info") if value is True else Cell(_text(value))


def _seats(lic: Mapping[str, Any]) -> Cell:
    used, seats = _int(lic.get("in_use")), _int(lic.get("seats"))
    share = min(100, max(0, round(100 * used / seats))) if used is not None and seats else None
    return Cell(_of(lic.get("in_use"), lic.get("seats")), bar=share)


def _transfers(source: Mapping[str, Any]) -> tuple[Cell, Cell]:
    """Transfers left, and when the next one returns."""
    transfers = _map(source.get("transfers"))
    left = transfers.get("left")
    text = DASH if left is None else _text(left) if transfers.get("limit") is None else _of(left, transfers["limit"])
    return Cell(text, "bad" if left == 0 else ""), Cell(_when(transfers.get("returns")))


def _licenses(overview: Mapping[str, Any], var: bool) -> list[Mapping[str, Any]]:
    return [lic for lic in _maps(overview.get("licenses")) if (lic.get("var") is True) == var]


def _license_table(overview: Mapping[str, Any]) -> Table:
    rows = [
        [
            _code(lic.get("number")),
            _seats(lic),
            _code(lic.get("file")),
            Cell(_text(lic.get("type"))),
            Cell(_text(lic.get("protection"))),
            _status(lic),
            Cell(_day(lic.get("expiry")), sub=f"from {_day(lic.get('start'))}"),
            Cell(_day(lic.get("maintenance_expiry"))),
            *_transfers(lic),
        ]
        for lic in _licenses(overview, var=False)
    ]
    headers = ("License", "In use", "File name", "Type", "Protection", "Status")
    dates = ("Valid until", "Maintenance until", "Transfers left", "Next one returns")
    return Table("Licenses", headers + dates, rows, "No licenses are installed.")


def _var_table(overview: Mapping[str, Any]) -> Table:
    rows = [
        [
            _code(lic.get("number")),
            _seats(lic),
            _code(lic.get("path", lic.get("file"))),
            Cell(_text(lic.get("protection"))),
            _status(lic),
            Cell(_day(lic.get("expiry"))),
            *_transfers(lic),
        ]
        for lic in _licenses(overview, var=True)
    ]
    headers = ("VAR license", "In use", "Path", "Protection", "Status", "Expires", "Transfers left", "Next one returns")
    return Table("VAR licenses", headers, rows, "")


def _profile_table(overview: Mapping[str, Any]) -> Table:
    rows = [
        [
            Cell(_text(profile.get("name"))),
            _code(profile.get("license")),
            Cell(_text(profile.get("in_use"))),
            _mark(profile.get("reuse")),
            _mark(profile.get("default")),
        ]
        for profile in _maps(overview.get("profiles"))
    ]
    return Table("Profiles", ("Profile", "License", "In use", "Re-use", "Default"), rows, "No profiles are defined.")


def _client_table(overview: Mapping[str, Any]) -> Table:
    rows = [
        [Cell(_text(c.get("client"))), _code(c.get("address")), Cell(_text(c.get("user"))), Cell(_when(c.get("since")))]
        for c in _maps(overview.get("clients"))
    ]
    return Table("Clients", ("Client", "Address", "User", "Logged on since"), rows, "No client is logged on.")


def _pending_table(overview: Mapping[str, Any]) -> Table:
    rows = [
        [
            _code(request.get("number")),
            Cell(_text(request.get("action"))),
            _code(request.get("file")),
            _code(request.get("request_id")),
            Cell(_when(request.get("made"))),
            Cell("response here", "info") if request.get("answered") is True else Cell("waiting", "warn"),
        ]
        for request in _maps(overview.get("pending"))
    ]
    headers = ("License", "Action", "Request file", "Request id", "Made", "Response")
    return Table("Pending requests", headers, rows, "No request is pending.")


def _linked_table(overview: Mapping[str, Any], label: str, empty: str) -> Table:
    """Which license is linked to which profile: what a migration has to keep."""
    licenses = {_text(lic.get("number")): lic for lic in _maps(overview.get("licenses"))}
    links = [(profile, _text(profile.get("license"))) for profile in _maps(overview.get("profiles"))]
    linked = {number for _profile, number in links}
    links += [({}, number) for number in licenses if number not in linked]
    rows = []
    for profile, number in links:
        lic = licenses.get(number, {})
        seats = Cell(_text(lic.get("seats")))
        kind = Cell(number, sub=_text(lic.get("type")) if lic else "", code=True)
        rows.append([Cell(_text(profile.get("name"))), kind, seats, _mark(profile.get("default")), _status(lic)])
    return Table(label, ("Profile", "License", "Seats", "Default", "Status"), rows, empty)


def _installed(overview: Mapping[str, Any]) -> bool:
    return _map(overview.get("server")).get("installed") is not False


# -- the overview page ----------------------------------------------------------------------------------------------


def overview_page(overview: Mapping[str, Any], host: str, made: str, digest: str) -> str:
    """What the license manager's overview shows of `host`, as one self-contained HTML page.

    The same arguments give the same bytes: the page is part of a bundle that is compared with its successor.
    """
    overview = _map(overview)
    server, licenses = _map(overview.get("server")), _maps(overview.get("licenses"))
    realm = _map(server.get("realm"))
    pending = _maps(overview.get("pending"))
    left = [n for lic in licenses if (n := _int(_map(lic.get("transfers")).get("left"))) is not None]
    active = sum(lic.get("status") == "Active" for lic in licenses)
    used = sum(_int(lic.get("in_use")) or 0 for lic in licenses)
    seats = sum(_int(lic.get("seats")) or 0 for lic in licenses)
    banners = []
    if not _installed(overview):
        banners.append(("warn", "No license server", "No license server is installed on this host."))
    if server.get("maintenance") is True:
        banners.append(
            ("warn", "Maintenance mode", "The server is in maintenance mode: leaving it restarts the server.")
        )
    if pending:
        words = "Load each response on this host. Never make a second request for a license while one is pending."
        banners.append(("warn", f"{_count(len(pending), 'request')} pending", words))
    return _ENVIRONMENT.get_template("overview").render(
        title=f"License server overview: {_text(host)}",
        host=_text(host),
        made=_when(made),
        digest=_text(digest),
        banners=banners,
        tiles=[
            ("Active licenses", f"{active} of {len(licenses)}"),
            ("Seats in use", f"{used} of {seats}"),
            ("Profiles", str(len(_maps(overview.get("profiles"))))),
            ("Pending requests", str(len(pending))),
            ("Fewest transfers left", str(min(left)) if left else DASH),
        ],
        licenses=_license_table(overview),
        var=_var_table(overview),
        profiles=_profile_table(overview),
        clients=_client_table(overview),
        users=[_text(user) for user in _list(overview.get("users"))],
        pending=_pending_table(overview),
        facts=[
            ("Host", Cell(_text(host))),
            ("Installed", Cell(_text(server.get("installed")))),
            ("Version", Cell(_text(server.get("version")))),
            ("Package digest", _code(server.get("digest"))),
            ("Backend", Cell(_text(server.get("backend")))),
            ("Home", _code(server.get("home"))),
            ("Root", _code(server.get("root"))),
            ("Home id", _code(server.get("home_id"))),
            ("Maintenance mode", Cell(_text(server.get("maintenance")))),
            ("Realm", Cell(_text(realm.get("name")))),
            ("Realm id", _code(realm.get("id"))),
            ("Authority", Cell(_address(server.get("authority")), code=True)),
        ],
    )


# -- the migration report -------------------------------------------------------------------------------------------


def _held(overview: Mapping[str, Any]) -> set[str]:
    return {_text(x.get("number")) for x in _maps(overview.get("licenses")) if x.get("status") in _HELD}


def _in_order(*many: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(item for items in many for item in items))


def _differences(report: Mapping[str, Any], source: str, target: str) -> list[str]:
    """Where the target is not what the source was, in words; what the target has besides is no difference."""
    before, after = _map(report.get("before")), _map(report.get("after"))
    found = []
    here = {_text(lic.get("number")): lic for lic in _maps(after.get("licenses"))}
    for lic in _maps(before.get("licenses")):
        number = _text(lic.get("number"))
        if number not in here:
            found.append(f"License {number} is not on {target}.")
            continue
        for field, words in (("seats", "seats"), ("expiry", "expiry"), ("protection", "protection")):
            was, now = _text(lic.get(field)), _text(here[number].get(field))
            if was != now:
                found.append(f"License {number}: {words} was {was}, is {now}.")
    profiles = {_text(profile.get("name")): profile for profile in _maps(after.get("profiles"))}
    names = [_text(profile.get("name")) for profile in _maps(before.get("profiles"))]
    for profile in _maps(before.get("profiles")):
        name = _text(profile.get("name"))
        if name not in profiles:
            found.append(f"Profile {name} is not on {target}.")
            continue
        for field, words in (("license", "license"), ("reuse", "re-use"), ("default", "default")):
            was, now = _text(profile.get(field)), _text(profiles[name].get(field))
            if was != now:
                found.append(f"Profile {name}: {words} was {was}, is {now}.")
    if [name for name in names if name in profiles] != [name for name in profiles if name in names]:
        found.append(f"The profiles stand in another order: they were {', '.join(names)}.")
    users = [_text(user) for user in _list(after.get("users"))]
    found += [
        f"User {_text(u)} is not registered on {target}." for u in _list(before.get("users")) if _text(u) not in users
    ]
    moved = {_text(number) for number in _list(report.get("moved"))}
    for lic in _maps(_map(report.get("source_after")).get("licenses")):
        if _text(lic.get("number")) in moved and lic.get("status") in _HELD and not lic.get("fenced"):
            found.append(
                f"License {_text(lic.get('number'))} was moved, yet {source} still shows it as {lic['status']}."
            )
    return found


def _plan_table(report: Mapping[str, Any], waiting: set[str]) -> Table:
    moved = {_text(number) for number in _list(report.get("moved"))}
    held = _held(_map(report.get("after")))
    known: dict[str, Mapping[str, Any]] = {}
    # The latest word on a license's transfers counts: the target's after the move, then the source's, then the plan's.
    for side in ("source_after", "after"):
        for lic in _maps(_map(report.get(side)).get("licenses")):
            if _map(lic.get("transfers")).get("left") is not None:
                known[_text(lic.get("number"))] = lic
    rows = []
    for item in _maps(_map(report.get("plan")).get("licenses")):
        number = _text(item.get("number"))
        if number in waiting:
            result = Cell("Waiting for response", "warn")
        elif number not in held:
            result = Cell("Not on the target", "bad")
        else:
            result = Cell("Moved", "good") if number in moved else Cell("In place", "quiet")
        planned = {"transfers": {"left": item.get("left"), "returns": item.get("returns")}}
        left, returns = _transfers(known.get(number, planned))
        state, step = Cell(_text(item.get("state"))), Cell(_text(item.get("step")))
        name = Cell(_text(item.get("profile")))
        rows.append([name, _code(number), state, step, result, Cell(_text(item.get("spends"))), left, returns])
    headers = ("Profile", "License", "State", "Step", "Result", "Spends", "Transfers left", "Next one returns")
    return Table("Licenses and transfers", headers, rows, "The plan names no licenses.")


def report_page(report: Mapping[str, Any]) -> str:
    """What a migration or rollback did, as one self-contained HTML page.

    `pair.source` is the host the licenses leave and `pair.target` the host that gets them, in a rollback too.
    """
    report = _map(report)
    pair, plan = _map(report.get("pair")), _map(report.get("plan"))
    before, after, source_after = (_map(report.get(key)) for key in ("before", "after", "source_after"))
    source, target = _text(pair.get("source")), _text(pair.get("target"))
    noun = "Rollback" if report.get("direction") == "rollback" else "Migration"
    moved = _in_order(_text(number) for number in _list(report.get("moved")))
    planned = _in_order((_text(item.get("number")) for item in _maps(plan.get("licenses"))), moved)
    missing = [number for number in planned if number not in _held(after)]
    pending = _maps(report.get("pending"))
    done = f"{len(planned) - len(missing)} of {_count(len(planned), 'license')}"
    if pending:
        kind, headline = "warn", f"Waiting for {_count(len(pending), 'response')}"
        summary = f"{done} on {target} so far."
    elif missing:
        kind, headline = "bad", f"{noun} not complete"
        summary = f"{done} on {target}; missing: {', '.join(missing)}."
    elif moved:
        kind, headline = "good", f"{noun} complete"
        summary = f"{_count(len(moved), 'license')} moved from {source} to {target}."
    else:
        kind, headline = "quiet", "Nothing to do"
        summary = f"{done} already on {target}." if planned else "There are no licenses to move."
    spent = sum(_int(x.get("spends")) or 0 for x in _maps(plan.get("licenses")) if _text(x.get("number")) in moved)
    requests = [
        [Cell(_text(p.get("host"))), _code(p.get("number")), Cell(_text(p.get("action"))), _code(p.get("file"))]
        for p in pending
    ]
    compared = bool(before) and bool(after) and not pending
    bare = "No license server is installed."
    nothing = "No licenses and no profiles."
    return _ENVIRONMENT.get_template("report").render(
        title=f"{headline}: {source} to {target}",
        noun=noun,
        kind=kind,
        headline=headline,
        summary=summary,
        source=source,
        target=target,
        made=_when(report.get("made")),
        next_step=_text(report["next_step"], keep="\n\t") if report.get("next_step") else "",
        compared=compared,
        differences=_differences(report, source, target) if compared else [],
        tiles=[
            ("Licenses moved", f"{len(moved)} of {len(planned)}"),
            ("Without license server", _duration(report.get("without_service_seconds"))),
            ("Transfers spent", str(spent)),
            ("Responses awaited", str(len(pending))),
        ],
        requests=Table("Responses awaited", ("Host", "License", "Action", "Request file"), requests, ""),
        before=_linked_table(before, f"Before, on {source}", nothing if _installed(before) else bare),
        after=_linked_table(after, f"After, on {target}", nothing if _installed(after) else bare),
        left_behind=_linked_table(source_after, f"Now, on {source}", nothing if _installed(source_after) else bare),
        plan=_plan_table(report, {_text(request.get("number")) for request in pending}),
        notes=[_text(note) for note in _list(plan.get("notes"))],
        strings=[(_text(s.get("profile")), _text(s.get("string"))) for s in _maps(report.get("connection_strings"))],
        licenses_cfg="\n".join(_text(line, keep="\t") for line in _list(report.get("licenses_cfg"))),
        bundle=_text(report.get("bundle")),
    )


# -- text tables ----------------------------------------------------------------------------------------------------


def _columns(text: str) -> int:
    """How many terminal columns a text takes: East Asian wide characters two, combining ones none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _clip(text: str, width: int) -> str:
    if _columns(text) <= width:
        return text
    while text and _columns(text) > width - 1:
        text = text[:-1]
    return text + "…"


def text_table(headers: Sequence[str], rows: Sequence[Sequence[object]], width: int | None = None) -> str:
    """A plain aligned table for a terminal; with `width`, the widest columns are clipped until it fits."""
    count = max([len(headers), *(len(row) for row in rows)])
    numeric = [bool(rows) and all(len(row) > i and _int(row[i]) is not None for row in rows) for i in range(count)]
    lines = [[_text(h) for h in headers] + [""] * (count - len(headers))]
    lines += [[_text(value) for value in row] + [DASH] * (count - len(row)) for row in rows]
    widths = [max(_columns(line[i]) for line in lines) for i in range(count)]
    while width is not None and sum(widths) + 2 * (count - 1) > width and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    lines.insert(1, ["-" * w for w in widths])

    def cell(text: str, i: int) -> str:
        text = _clip(text, widths[i])
        blank = " " * (widths[i] - _columns(text))
        return blank + text if numeric[i] else text + blank

    return "\n".join("  ".join(cell(text, i) for i, text in enumerate(line)).rstrip() for line in lines)


def overview_tables(overview: Mapping[str, Any]) -> str:
    """An overview's licenses and profiles for a terminal."""
    overview = _map(overview)
    licenses = [
        (
            lic.get("number"),
            _of(lic.get("in_use"), lic.get("seats")),
            lic.get("file"),
            lic.get("type"),
            lic.get("protection"),
            lic.get("status"),
            _day(lic.get("expiry")),
            _transfers(lic)[0].text,
            _day(_map(lic.get("transfers")).get("returns")),
        )
        for lic in _maps(overview.get("licenses"))
    ]
    profiles = [
        tuple(profile.get(field) for field in ("name", "license", "in_use", "reuse", "default"))
        for profile in _maps(overview.get("profiles"))
    ]
    heads = ("License", "In use", "File name", "Type", "Protection", "Status", "Expires", "Left", "Returns")
    parts = []
    for title, names, rows in (
        ("Licenses", heads, licenses),
        ("Profiles", ("Profile", "License", "In use", "Re-use", "Default"), profiles),
    ):
        parts.append(f"{title}\n\n" + (text_table(names, rows, TERMINAL_WIDTH) if rows else "(none)"))
    return "\n\n".join(parts) + "\n"


# -- templates ------------------------------------------------------------------------------------------------------

_STYLE = """
:root { color-scheme: light dark;
  --page: #f4f6f8; --card: #fff; --ink: #1b2733; --soft: #5a6875; --line: #dfe5ea; --head: #f8fafb; --accent: #24618e;
  --good: #17683f; --good-bg: #e1f3e9; --warn: #7d5200; --warn-bg: #fcf0d4; --bad: #a12b2b; --bad-bg: #fbe6e4;
  --info: #24618e; --info-bg: #e3eef7; --quiet: #4c5a67; --quiet-bg: #e9edf1; }
@media (prefers-color-scheme: dark) { :root {
  --page: #12181e; --card: #1a222a; --ink: #e3e9ee; --soft: #9aa8b5; --line: #2d3842; --head: #1f2831;
  --accent: #7fb6e0;
  --good: #7fd6a6; --good-bg: #173527; --warn: #ecc26a; --warn-bg: #3a2e13; --bad: #f2a19b; --bad-bg: #42201f;
  --info: #8fc1e8; --info-bg: #1b3247; --quiet: #b3bfca; --quiet-bg: #2a343e; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 2.25rem 1.5rem 1.5rem; }
h1, h2, h3 { line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h1 { font-size: 2rem; font-weight: 650; letter-spacing: -.015em; }
h2 { font-size: 1.15rem; font-weight: 650; margin: 2.25rem 0 .75rem; }
h3 { font-size: .95rem; font-weight: 650; padding: .8rem 1rem; }
p { margin: .3rem 0 0; overflow-wrap: anywhere; }
.eyebrow { margin: 0 0 .35rem; color: var(--accent); font-size: .8rem; font-weight: 650; letter-spacing: .07em;
  text-transform: uppercase; }
.soft, .lead { color: var(--soft); }
.lead { font-size: 1.05rem; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: .9em; }
code { overflow-wrap: anywhere; }
.card, .tiles, .banner { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.card { overflow-x: auto; }
.card.pad { padding: 1rem; }
.card.hero { padding: 1.5rem; border-left: 6px solid var(--edge, var(--line)); }
.tiles { display: flex; flex-wrap: wrap; margin: 1.25rem 0 0; overflow: hidden; }
.tiles div { flex: 1 1 9.5rem; padding: .85rem 1rem; box-shadow: -1px -1px 0 var(--line); }
.tiles dt { color: var(--soft); font-size: .8rem; }
.tiles dd { margin: .1rem 0 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.banner { padding: .75rem 1rem; margin: 1rem 0 0; background: var(--bg); border-color: transparent; color: var(--fg);
  overflow-wrap: anywhere; }
.lines { white-space: pre-line; }
.banner ul { margin: .3rem 0 0; padding-left: 1.2rem; }
.good { --fg: var(--good); --bg: var(--good-bg); --edge: var(--good); }
.warn { --fg: var(--warn); --bg: var(--warn-bg); --edge: var(--warn); }
.bad { --fg: var(--bad); --bg: var(--bad-bg); --edge: var(--bad); }
.info { --fg: var(--info); --bg: var(--info-bg); --edge: var(--info); }
.quiet { --fg: var(--quiet); --bg: var(--quiet-bg); --edge: var(--quiet); }
.badge { display: inline-block; padding: .1rem .55rem; border-radius: .7rem; background: var(--bg); color: var(--fg);
  font-size: .8rem; font-weight: 600; }
table { width: 100%; border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th { background: var(--head); color: var(--soft); font-size: .78rem; font-weight: 600; text-align: left;
  vertical-align: bottom; line-height: 1.3; }
th, td { padding: .55rem .5rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: 1rem; }
td { vertical-align: top; overflow-wrap: anywhere; }
.short { white-space: nowrap; }
.long { min-width: 6.4rem; }
.mark { overflow-wrap: break-word; }
td:first-child { font-weight: 600; }
tbody tr:last-child td { border-bottom: 0; }
.sub { display: block; color: var(--soft); font-size: .8rem; font-weight: 400; }
.bar { display: block; width: 4.5rem; height: 4px; margin-top: .3rem; border-radius: 2px; background: var(--line); }
.bar i { display: block; height: 100%; border-radius: 2px; background: var(--accent); }
.empty { margin: 0; padding: .85rem 1rem; color: var(--soft); }
.two { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem; align-items: start; }
.two h2 { margin-top: 0; }
.panels { margin-top: .75rem; }
.panels .empty { padding-top: 0; }
.gap { margin-top: 2.25rem; }
.facts { display: grid; margin: 0; gap: .85rem 1.5rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); }
.facts dt { color: var(--soft); font-size: .8rem; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.names { columns: 15rem; margin: 0; padding: .75rem 1rem; list-style: none; }
.names li { overflow-wrap: anywhere; break-inside: avoid; padding: .1rem 0; }
.copy span { color: var(--soft); font-size: .8rem; }
.copy + .copy { margin-top: .8rem; }
pre { margin: .25rem 0 0; padding: .6rem .75rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--head); tab-size: 8; white-space: pre-wrap; overflow-wrap: anywhere; user-select: all; }
footer { margin-top: 2.5rem; padding-top: .9rem; border-top: 1px solid var(--line);
  color: var(--soft); font-size: .8rem; }
@media screen and (max-width: 1100px) {
  .two { grid-template-columns: minmax(0, 1fr); }
  .two > * + * > h2 { margin-top: 1.25rem; }
  table { display: block; }
  thead { display: none; }
  tbody { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)); }
  tr { display: block; padding: .6rem 1rem; box-shadow: 0 -1px 0 var(--line); }
  td, td:first-child { display: grid; grid-template-columns: 8.5rem minmax(0, 1fr); padding: .18rem 0; border: 0; }
  td::before { content: attr(data-label); color: var(--soft); font-size: .8rem; font-weight: 400; }
  .card { overflow: hidden; }
}
@media screen and (max-width: 600px) {
  main { padding: 1.25rem .85rem; }
  h1 { font-size: 1.6rem; }
  .tiles div { flex-basis: 45%; }
}
@media print {
  :root { color-scheme: light;
    --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --head: #fff; --accent: #24618e;
    --good: #17683f; --good-bg: #fff; --warn: #7d5200; --warn-bg: #fff; --bad: #a12b2b; --bad-bg: #fff;
    --info: #24618e; --info-bg: #fff; --quiet: #333; --quiet-bg: #fff; }
  @page { size: A4 landscape; margin: 12mm; }
  html { font-size: 11px; }
  body { font-size: 1rem; }
  main { max-width: none; padding: 0; }
  h2 { margin-top: 1.2rem; break-after: avoid; }
  .card { overflow: visible; }
  th { background: none; }
  .tiles, tr, .copy, .panels .card { break-inside: avoid; }
  .badge, .banner { border: 1px solid var(--fg); }
}
"""

_BASE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>{{ title }}</title>
<style>{% include "style" %}</style>
</head>
<body>
<main>
{% block body %}{% endblock %}
</main>
</body>
</html>
"""

_MACROS = """
{%- macro cell(c) -%}
{%- if c.badge %}<span class="badge {{ c.badge }}">{{ c.text }}</span>
{%- elif c.code %}<code>{{ c.text }}</code>{% else %}{{ c.text }}{% endif -%}
{%- if c.bar is not none %}<span class="bar" aria-hidden="true"><i style="width:{{ c.bar }}%"></i></span>{% endif -%}
{%- if c.sub %}<span class="sub">{{ c.sub }}</span>{% endif -%}
{%- endmacro -%}

{%- macro grid(t) -%}
{%- if t.rows %}
<table role="table" aria-label="{{ t.label }}">
<thead role="rowgroup"><tr role="row">
{%- for h in t.headers %}<th role="columnheader" scope="col">{{ h }}</th>{% endfor %}</tr></thead>
<tbody role="rowgroup">
{% for row in t.rows -%}
<tr role="row">
{%- for c in row %}<td role="cell" data-label="{{ t.headers[loop.index0] }}"><div class="
{{- 'mark' if c.badge else 'short' if c.text|length < (24 if c.code else 16) else 'long' }}">
{{- cell(c) }}</div></td>{% endfor %}</tr>
{% endfor -%}
</tbody>
</table>
{%- else %}
<p class="empty">{{ t.empty }}</p>
{%- endif -%}
{%- endmacro -%}

{%- macro section(t) %}
<section><h2>{{ t.label }}</h2><div class="card">{{ grid(t) }}</div></section>
{% endmacro -%}

{%- macro panel(t) %}
<section class="card"><h3>{{ t.label }}</h3>{{ grid(t) }}</section>
{% endmacro -%}

{%- macro tiles(items) %}
<dl class="tiles">{% for name, value in items %}<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>{% endfor %}</dl>
{% endmacro -%}
"""

_OVERVIEW = """{% extends "base" %}
{% import "macros" as m %}
{% block body %}
<header>
<p class="eyebrow">License server overview</p>
<h1>{{ host }}</h1>
<p class="lead">As of {{ made }}</p>
</header>
{% for kind, head, words in banners %}<p class="banner {{ kind }}" role="note">
<strong>{{ head }}.</strong> {{ words }}</p>
{% endfor %}
{{ m.tiles(tiles) }}
{{ m.section(licenses) }}
{{ m.section(profiles) }}
{% if var.rows %}{{ m.section(var) }}{% endif %}
{{ m.section(pending) }}
<div class="two gap">
{{ m.section(clients) }}
<section><h2>Users</h2><div class="card">
{%- if users %}<ul class="names">{% for user in users %}<li>{{ user }}</li>{% endfor %}</ul>
{%- else %}<p class="empty">No user is registered.</p>{% endif %}</div></section>
</div>
<section><h2>Server</h2><div class="card pad"><dl class="facts">
{% for name, c in facts %}<div><dt>{{ name }}</dt><dd>{{ m.cell(c) }}</dd></div>
{% endfor %}</dl></div></section>
<footer>Made {{ made }}. Bundle digest <code>{{ digest }}</code>.
This page holds no activation codes and no keys.</footer>
{% endblock %}
"""

_REPORT = """{% extends "base" %}
{% import "macros" as m %}
{% block body %}
<header>
<div class="card hero {{ kind }}">
<p class="eyebrow">{{ noun }} report</p>
<h1>{{ headline }}</h1>
<p class="lead">{{ summary }}</p>
<p class="soft">{{ source }} → {{ target }}, {{ made }}</p>
</div>
</header>
{% if next_step %}<p class="banner info"><strong>Next step:</strong>
<span class="lines">{{ next_step }}</span></p>{% endif %}
{% if differences %}<div class="banner warn"><strong>{{ target }} differs from what {{ source }} was:</strong>
{#- #}<ul>{% for line in differences %}<li>{{ line }}</li>{% endfor %}</ul></div>{% endif %}
{{ m.tiles(tiles) }}
{% if requests.rows %}{{ m.section(requests) }}{% endif %}
<section><h2>Before and after</h2>
{% if compared and not differences %}
<p class="soft">Licenses, profiles, their order and defaults, and users on {{ target }} are
what they were on {{ source }}.</p>{% endif %}
<div class="two panels">
{{ m.panel(before) }}
{{ m.panel(after) }}
</div></section>
{{ m.section(plan) }}
{% if notes %}<ul class="soft">{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>{% endif %}
{{ m.section(left_behind) }}
<div class="two gap">
<section><h2>For the PRO configuration</h2><div class="card pad">
{%- for profile, string in strings %}<div class="copy"><span>{{ profile }}</span><pre>{{ string }}</pre></div>
{%- else %}<span class="soft">No connection strings.</span>{% endfor %}</div></section>
<section><h2>For the clients' licenses.cfg</h2><div class="card pad">
{%- if licenses_cfg %}<pre>{{ licenses_cfg }}</pre>{% else %}<span class="soft">No lines.</span>{% endif -%}
</div></section>
</div>
<section><h2>Backup</h2><div class="card pad"><dl class="facts"><div><dt>Bundle, on the controller</dt>
<dd><code>{{ bundle }}</code></dd></div></dl></div></section>
<footer>Made {{ made }}. This page holds no activation codes and no keys.</footer>
{% endblock %}
"""

_ENVIRONMENT = Environment(
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    loader=DictLoader({"base": _BASE, "style": _STYLE, "macros": _MACROS, "overview": _OVERVIEW, "report": _REPORT}),
)
