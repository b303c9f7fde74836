# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands ``licman`` and ``authority``.

``licman`` knows the two commands that the vendor documents (D licsrv/linux_setup), word for word, and our own.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Callable

from . import VERSION, checks, documents
from .authority.embedded import open_ledger_channel
from .authority.issuing import new_license
from .channel import Channel, open_channel
from .client import NoAnswer
from .errors import LicensingError, refuse
from .files import PRIVATE, Folder
from .fingerprint import read_fingerprint
from .manager import BUNDLED, Change, open_manager
from .model import (
    NODELOCKS,
    Profile,
    Wanted,
    digits,
    now_utc,
    parse_code,
    parse_number,
    parse_profile,
)

REFUSED = 1
WAITING = 3
NO_ANSWER = 4
_EXIT_CODES = (
    "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 waiting for a response file, 4 the license server does not answer."
)


def main(arguments: Sequence[str]) -> int:
    """Run ``licman …`` or ``authority …``; return the exit code."""
    commands: dict[str, Callable[[Sequence[str]], int]] = {"licman": licman, "authority": authority}
    if not arguments or arguments[0] not in commands:
        sys.stderr.write("usage: licman … | authority …\n")
        return 2
    try:
        return commands[arguments[0]](arguments[1:])
    except LicensingError as error:
        if "--json" in arguments:
            _print_json({"problems": [problem.as_dict() for problem in error.problems]})
        else:
            sys.stderr.write("".join(f"{problem}\n" for problem in error.problems))
        return NO_ANSWER if isinstance(error, NoAnswer) else REFUSED


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _print_json(data: Any) -> None:
    _say(json.dumps(data, indent=1, ensure_ascii=False))


def licman(arguments: Sequence[str]) -> int:
    """Manage one license server."""
    options = _licman_parser().parse_args(arguments)
    check = checks.chosen(options)
    if check is not None:
        return _show(check(options), options)
    if options.fingerprint:
        return _show(read_fingerprint(options.root), options)
    manager = open_manager(BUNDLED, options.home, options.root)
    overview = manager.overview()
    if options.nodelock_activate is not None:
        number = parse_number(options.nodelock_activate)
        known = {license["number"] for license in overview["licenses"]}
        if not options.add_license and number not in known:
            raise refuse(f"License {number} is not installed here.", options.home, "Add --add-license to install it.")
        profile = None if options.profile is None else parse_profile(options.profile, "--profile")
        wanted = Wanted(number, _code(options.activation_code), profile, nodelock=options.type)
        change = manager.activate([wanted], _channel(options, overview))
    elif options.nodelock_deactivate is not None:
        change = manager.deactivate([parse_number(options.nodelock_deactivate)], _channel(options, overview))
    elif options.profile_add is not None:
        change = _add_profile(manager, overview, options)
    elif options.profile_remove is not None:
        change = manager.set_profiles([], absent=[parse_profile(options.profile_remove)])
    elif options.maintenance:
        change = manager.set_maintenance(options.maintenance == "on", options.drain or 0, options.drain is None)
    else:
        change = Change(False, overview, overview)
    return _tell(change, options)


def _licman_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("licman", description="Manage a license server.", epilog=_EXIT_CODES)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--nodelock-activate", metavar="NUMBER")
    what.add_argument("--nodelock-deactivate", metavar="NUMBER")
    what.add_argument("--profile-add", metavar="NAME")
    what.add_argument("--profile-remove", metavar="NAME")
    what.add_argument("--maintenance", choices=("on", "off"))
    what.add_argument("--fingerprint", action="store_true", help="show the identity of this machine by component")
    checks.add_arguments(parser, what)
    what.add_argument("--overview", action="store_true", help="show licenses, profiles, users, pending requests")
    what.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("--type", choices=NODELOCKS, default="machine", help="protection of the nodelock")
    parser.add_argument("--activation-code", metavar="CODE", help="the code, or - to read it from standard input")
    parser.add_argument("--add-license", action="store_true", help="install the license where it is not yet")
    parser.add_argument("--license", metavar="NUMBER", help="the license of the profile")
    parser.add_argument("--profile", metavar="NAME", help="the profile that the activated license gets")
    parser.add_argument("--default", action="store_true", help="mark the added profile Default")
    parser.add_argument("--response", metavar="FILE", help="response file to load for a pending request")
    parser.add_argument("--request-dir", metavar="DIR", default=".", help="where offline request files are written")
    parser.add_argument(
        "--drain", type=float, metavar="SECONDS", help="with --maintenance on: wait for seats in use, else go back"
    )
    parser.add_argument("--authority", help="ledger:PATH or offline; the installed server's own unless given")
    parser.add_argument("--home", default="/opt/aims-license-server")
    parser.add_argument("--root", default="", help="alternate root")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _show(data: dict[str, Any], options: argparse.Namespace) -> int:
    if options.json:
        _print_json(data)
    else:
        for key, value in data.items():
            _say(f"{key}: {value}")
    return 0


def _channel(options: argparse.Namespace, overview: dict[str, Any]) -> Channel:
    """Open the way to the authority; what needs none works without one."""
    authority = options.authority or overview["server"]["authority"] or "offline"
    return open_channel(authority, open_ledger_channel, _responses(options))


def _code(given: str | None) -> str:
    if given is None:
        raise refuse(
            "No activation code is given.", "--activation-code", "Give it, or - to read it from standard input."
        )
    return parse_code(_line() if given == "-" else given, "--activation-code")


def _line() -> str:
    try:
        return sys.stdin.readline()
    except UnicodeDecodeError:
        return ""


def _responses(options: argparse.Namespace) -> dict[str, bytes]:
    named = options.nodelock_activate or options.nodelock_deactivate
    return {parse_number(named): _read_file(options.response)} if named and options.response else {}


def _read_file(path: str) -> bytes:
    file = Path(path).absolute()
    return Folder(file.parent).read(file.name, documents.MAX_BYTES)


def _add_profile(manager: Any, overview: dict[str, Any], options: argparse.Namespace) -> Change:
    if not options.license:
        raise refuse("No license is given for the profile.", "--license", "Add --license aaa.bbb.ccc.ddd.")
    added = Profile(parse_profile(options.profile_add), parse_number(options.license), options.default)
    others = [Profile(p["name"], p["license"], p["default"]) for p in overview["profiles"] if p["name"] != added.name]
    change: Change = manager.set_profiles([*others, added])
    return change


def _tell(change: Change, options: argparse.Namespace) -> int:
    written = []
    for number, request in change.requests.items():
        folder = Path(options.request_dir).absolute()
        Folder(folder).write(f"{digits(number)}.request", request, PRIVATE)
        written.append(str(folder / f"{digits(number)}.request"))
    if options.json:
        results = list(change.results)
        _print_json({"changed": change.changed, "results": results, "requests": written, "overview": change.after})
    else:
        _print_overview(change.after)
        for path in written:
            _say(f"\nRequest written: {path}\nHave it processed, then repeat this command with --response FILE.")
    return WAITING if written else 0


def _print_overview(overview: Any) -> None:
    for license in overview["licenses"]:
        _say(f"{license['number']}  {license['seats']:>6} seats  {license['status']:<20} {license['type']}")
    for profile in overview["profiles"]:
        _say(f"{profile['name']:<32} {profile['license']}{'  default' if profile['default'] else ''}")


def authority(arguments: Sequence[str]) -> int:
    """Run a rehearsal authority."""
    options = _authority_parser().parse_args(arguments)
    desk: dict[str, Callable[[argparse.Namespace], Any]] = {
        "init": _init,
        "issue": _issue,
        "list": _list,
        "process": _process,
        "audit": _audit,
    }
    result = desk[options.command](options)
    if options.json:
        _print_json(result)
    else:
        for line in result if isinstance(result, list) else [result]:
            _say("  ".join(f"{key}: {value}" for key, value in line.items()))
    return 0


def _authority_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("authority", description="A rehearsal authority: it issues no real licenses.")
    commands = parser.add_subparsers(dest="command", required=True)
    init = commands.add_parser("init", help="make a ledger with a key of its own")
    init.add_argument("--name", default="authority", help="the realm's name; REHEARSAL is put before it")
    issue = commands.add_parser("issue", help="issue a rehearsal license")
    issue.add_argument("number")
    code = issue.add_mutually_exclusive_group(required=True)
    code.add_argument("--activation-code", metavar="-", help="- reads the code from standard input")
    code.add_argument("--code-file", metavar="FILE", help="make a new code and write it to this new file, mode 0600")
    issue.add_argument("--type", default="Rehearsal license")
    issue.add_argument("--seats", type=int, default=10)
    today = now_utc().date()
    issue.add_argument("--start", default=today.isoformat())
    issue.add_argument("--expiry", default=(today + timedelta(days=365)).isoformat())
    issue.add_argument("--maintenance-expiry")
    listing = commands.add_parser("list", help="list the licenses and where they are live")
    process = commands.add_parser("process", help="turn a request file into its response file")
    process.add_argument("request", metavar="FILE.request")
    process.add_argument("--out", metavar="DIR", help="where the response goes; beside the request unless given")
    audit = commands.add_parser("audit", help="check the audit log and print it")
    for command in (init, issue, listing, process, audit):
        command.add_argument("--ledger", required=True, metavar="PATH")
        command.add_argument("--json", action="store_true")
    return parser


def _init(options: argparse.Namespace) -> dict[str, Any]:
    from .authority.ledger import Ledger

    with Ledger.create(options.ledger, options.name) as ledger:
        with ledger.change():
            ledger.record(now_utc(), "init", None, {"realm": ledger.realm.name})
        return ledger.realm.as_dict()


def _issue(options: argparse.Namespace) -> dict[str, Any]:
    from .authority.ledger import Ledger

    number = parse_number(options.number)
    if options.activation_code not in (None, "-"):
        todo = "Give - and hand the code over on standard input: arguments can be seen by every user of this machine."
        raise refuse("A code is not taken as an argument.", "--activation-code", todo)
    code = parse_code(_line()) if options.activation_code else _new_code()
    license = new_license(
        number, code, options.type, options.seats, options.start, options.expiry, options.maintenance_expiry
    )
    with Ledger(options.ledger) as ledger, ledger.change():
        ledger.put_license(license, now_utc())
        if options.code_file is not None:
            # Before the ledger's change is final: a license whose code nobody has is of no use.
            _write_code(options.code_file, code)
    return {"number": number, "type": license.type, "seats": license.seats, "expiry": license.expiry}


def _new_code() -> str:
    alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "-".join("".join(secrets.choice(alphabet) for place in range(5)) for group in range(5))


def _write_code(path: str, code: str) -> None:
    file = Path(path).absolute()
    folder = Folder(file.parent)
    if folder.has(file.name):
        raise refuse("There is a file already.", str(file), "Name a new file for the new code.")
    folder.write(file.name, f"{code}\n".encode(), PRIVATE)


def _list(options: argparse.Namespace) -> list[dict[str, Any]]:
    from .authority.ledger import Ledger

    rows = []
    with Ledger(options.ledger) as ledger:
        for license in ledger.licenses():
            holding = ledger.holding(license.number)
            account = ledger.account(license.number, holding.nodelock if holding else "machine")
            rows.append(
                {
                    "number": license.number,
                    "type": license.type,
                    "seats": license.seats,
                    "expiry": license.expiry,
                    "valid": license.problem_on(date.today()) is None,
                    "live": bool(holding and holding.live),
                    "holder": holding.host_key if holding else None,
                    "transfers": account.as_dict(now_utc()),
                }
            )
    return rows


def _process(options: argparse.Namespace) -> dict[str, Any]:
    from .authority.desk import RequestDesk
    from .authority.ledger import Ledger

    request = _read_file(options.request)
    with Ledger(options.ledger) as ledger:
        response = RequestDesk(ledger, online=False).answer(request, options.request)
    body = documents.read(response, documents.RESPONSE, options.request).body
    folder = Path(options.out).absolute() if options.out else Path(options.request).absolute().parent
    name = f"{digits(body['number'])}.response"
    Folder(folder).write(name, response, PRIVATE)
    reason = body["reason"]
    return {
        "number": body["number"],
        "action": body["action"],
        "outcome": body["outcome"],
        "reason": reason["what"] if reason else None,
        "response": str(folder / name),
    }


def _audit(options: argparse.Namespace) -> list[dict[str, Any]]:
    from .authority.ledger import Ledger

    with Ledger(options.ledger) as ledger:
        return ledger.audit()
