# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``authority``: a rehearsal authority, used by hand or as a service."""

from __future__ import annotations

import argparse
import os
import secrets
import socket
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from .. import documents
from ..addresses import parse_host
from ..errors import LicensingError, refuse
from ..files import PRIVATE, Folder
from ..model import digits, now_utc, parse_code, parse_number
from ..terminal import check_folder, print_json, read_file, read_line, say, unwritten
from .issue import changed_license, new_license

if TYPE_CHECKING:
    from .http.mail import MailServer
    from .processor import Answer

STOP_AFTER = "AIMS_AUTHORITY_STOP_AFTER"


def authority(arguments: Sequence[str]) -> int:
    """Run the command ``authority``. Return the exit code."""
    options = _parser().parse_args(arguments)
    if options.command == "serve":
        return _serve(options)
    commands: dict[str, Callable[[argparse.Namespace], Any]] = {
        "init": _init,
        "realm": _realm,
        "issue": _issue,
        "reissue": _reissue,
        "release": _release,
        "list": _list,
        "process": _process,
        "status": _status,
        "audit": _audit,
    }
    result = commands[options.command](options)
    if options.json:
        print_json(result)
    else:
        for line in result if isinstance(result, list) else [result]:
            say("  ".join(f"{key}: {value}" for key, value in line.items()))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("authority", description="A rehearsal authority. It issues no real licenses.")
    commands = parser.add_subparsers(dest="command", required=True)
    init = commands.add_parser("init", help="create a ledger with a new key, and certificates for a service")
    init.add_argument("--name", default="authority", help="the realm's name; it gets the prefix REHEARSAL")
    serve = commands.add_parser("serve", help="answer requests over HTTPS and on the request page")
    for command in (init, serve):
        command.add_argument(
            "--host",
            action="append",
            default=[],
            metavar="NAME",
            help="a name or IP address of the service, for its certificate; may be repeated",
        )
        command.add_argument(
            "--emergency-days",
            type=int,
            metavar="DAYS",
            help="length of an emergency activation of a license on a lost machine (default: 7; 0: never)",
        )
    _add_serving(serve)
    _add_issuing(commands.add_parser("issue", help="issue a rehearsal license"))
    _add_reissuing(
        commands.add_parser("reissue", help="change what a license grants; hosts fetch the change by an update")
    )
    release = commands.add_parser("release", help="release a license from a lost machine; spends no transfer")
    release.add_argument("number")
    release.add_argument("--reason", required=True, metavar="TEXT", help="the reason, for the audit log")
    commands.add_parser("realm", help="print the realm, for aims_license_server_realm")
    commands.add_parser("list", help="list the licenses and where they are live")
    process = commands.add_parser("process", help="answer a request file with a response file")
    process.add_argument("request", metavar="FILE.request")
    process.add_argument("--out", metavar="DIR", help="folder for the response (default: that of the request)")
    status = commands.add_parser("status", help="show whether a request file was processed; changes nothing")
    status.add_argument("request", metavar="FILE.request")
    commands.add_parser("audit", help="check the ledger and its audit log, and print the log")
    for name, command in commands.choices.items():
        if name != "serve":
            command.add_argument("--json", action="store_true")
        command.add_argument("--ledger", required=True, metavar="PATH")
    return parser


def _add_serving(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--listen", default="", metavar="ADDRESS", help="IP address (default: all addresses)")
    serve.add_argument("--port", type=int, default=8443)
    serve.add_argument("--smtp", metavar="HOST[:PORT]", help="the mail server (default: no mail is sent)")
    serve.add_argument("--smtp-starttls", action="store_true", help="send mail only over an encrypted connection")
    serve.add_argument("--smtp-user", metavar="USER")
    serve.add_argument("--smtp-password-file", metavar="FILE")
    serve.add_argument("--mail-from", metavar="ADDRESS", help="the sender of the mails")
    serve.add_argument(
        "--stop-after",
        type=float,
        default=os.environ.get(STOP_AFTER),
        metavar="SECONDS",
        help=f"stop after this time, for tests (also {STOP_AFTER})",
    )


def _add_issuing(issue: argparse.ArgumentParser) -> None:
    issue.add_argument("number")
    code = issue.add_mutually_exclusive_group(required=True)
    code.add_argument("--activation-code", metavar="-", help="-: read the code from standard input")
    code.add_argument("--code-file", metavar="FILE", help="generate a code and write it to this new file, mode 0600")
    issue.add_argument("--type", default="Rehearsal license")
    issue.add_argument("--seats", type=int, default=10)
    today = now_utc().date()
    issue.add_argument("--start", default=today.isoformat())
    issue.add_argument("--expiry", default=(today + timedelta(days=365)).isoformat())
    issue.add_argument("--maintenance-expiry")


def _add_reissuing(reissue: argparse.ArgumentParser) -> None:
    reissue.add_argument("number")
    reissue.add_argument("--type")
    reissue.add_argument("--seats", type=int)
    for name in ("--start", "--expiry", "--maintenance-expiry"):
        reissue.add_argument(name, metavar="YYYY-MM-DD")


def _init(options: argparse.Namespace) -> dict[str, Any]:
    from .certificates import Certificates
    from .ledger import Ledger
    from .policy import check_emergency_days

    certificates = Certificates(options.ledger)
    days = None if options.emergency_days is None else check_emergency_days(options.emergency_days)
    hosts = [parse_host(host, "--host") for host in options.host]
    if not Path(options.ledger).exists():
        certificates.check_free()
    with Ledger.create(options.ledger, options.name) as ledger:
        certificates.make(ledger.realm.name, hosts, now_utc())
        with ledger.change():
            ledger.record(now_utc(), "init", None, {"realm": ledger.realm.name})
            if days is not None:
                ledger.set_emergency_days(days, now_utc())
    return _realm(options)


def _realm(options: argparse.Namespace) -> dict[str, Any]:
    from .ledger import Ledger

    with Ledger(options.ledger) as ledger:
        return ledger.realm.as_dict()


def _serve(options: argparse.Namespace) -> int:
    from ..requirements import require_tornado

    require_tornado()
    from .http.service import Settings, serve
    from .ledger import Ledger

    if options.emergency_days is not None:
        with Ledger(options.ledger) as ledger, ledger.change():
            ledger.set_emergency_days(options.emergency_days, now_utc())
    serve(
        Settings(
            ledger=options.ledger,
            listen=options.listen,
            port=options.port,
            hosts=tuple(options.host),
            mail=_mail_server(options),
            stop_after=options.stop_after,
        )
    )
    return 0


def _mail_server(options: argparse.Namespace) -> MailServer | None:
    if options.smtp is None:
        return None
    from .http.mail import read_server

    password = None
    if options.smtp_password_file is not None:
        try:
            password = read_file(options.smtp_password_file).decode().rstrip("\r\n")
        except UnicodeDecodeError:
            todo = "Write the password into this file as UTF-8 text."
            raise refuse("The file is not a password in UTF-8.", options.smtp_password_file, todo) from None
    sender = options.mail_from or f"authority@{socket.getfqdn()}"
    return read_server(options.smtp, sender, options.smtp_starttls, options.smtp_user, password)


def _issue(options: argparse.Namespace) -> dict[str, Any]:
    from .ledger import Ledger

    number = parse_number(options.number)
    if options.activation_code not in (None, "-"):
        todo = "Use - and pass the code on standard input: every user of this machine can see arguments."
        raise refuse("A code must not be an argument.", "--activation-code", todo)
    code = parse_code(read_line()) if options.activation_code else _new_code()
    particulars = (options.type, options.seats, options.start, options.expiry)
    with Ledger(options.ledger) as ledger:
        # Outside of the transaction: deriving the key is slow, and the service waits for the ledger meanwhile.
        license = new_license(ledger.realm, number, code, particulars, options.maintenance_expiry)
    with Ledger(options.ledger) as ledger, ledger.change():
        if ledger.license(number) is not None:
            # A second issue would make the first code invalid without notice.
            todo = "Change what it grants with 'authority reissue', which keeps its code, or correct the number."
            raise refuse(f"License {number} is already issued.", options.ledger, todo)
        ledger.put_license(license, now_utc())
        if options.code_file is not None:
            # Before the commit, because a license without its code is useless.
            _write_code(options.code_file, code)
    return {"number": number, "type": license.type, "seats": license.seats, "expiry": license.expiry}


def _reissue(options: argparse.Namespace) -> dict[str, Any]:
    from .ledger import Ledger

    number = parse_number(options.number)
    names = ("type", "seats", "start", "expiry", "maintenance_expiry")
    with Ledger(options.ledger) as ledger, ledger.change():
        before = ledger.license(number)
        if before is None:
            raise refuse(f"License {number} is not issued.", options.ledger, "Issue it, or correct the number.")
        license = changed_license(before, **{name: getattr(options, name) for name in names})
        if license != before:
            ledger.put_license(license, now_utc(), "reissue")
    return {"number": number, "changed": license != before, **{name: getattr(license, name) for name in names}}


def _release(options: argparse.Namespace) -> dict[str, Any]:
    from .ledger import Ledger
    from .release import release

    with Ledger(options.ledger) as ledger:
        return release(ledger, parse_number(options.number), options.reason, now_utc())


def _new_code() -> str:
    alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "-".join("".join(secrets.choice(alphabet) for place in range(5)) for group in range(5))


def _write_code(path: str, code: str) -> None:
    file = Path(path).absolute()
    folder = Folder(file.parent)
    if folder.has(file.name):
        raise refuse("The file already exists.", str(file), "Choose a new file for the new code.")
    folder.write(file.name, f"{code}\n".encode(), PRIVATE)


def _list(options: argparse.Namespace) -> list[dict[str, Any]]:
    from .ledger import Ledger

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
                    "valid": license.problem_on(now_utc().date()) is None,
                    "live": bool(holding and holding.live),
                    "holder": holding.host_key if holding else None,
                    "transfers": account.as_dict(now_utc()),
                }
            )
    return rows


def _process(options: argparse.Namespace) -> dict[str, Any]:
    from .ledger import Ledger
    from .processor import RequestProcessor

    request = read_file(options.request)
    folder = Path(options.out).absolute() if options.out else Path(options.request).absolute().parent
    check_folder(folder)
    with Ledger(options.ledger) as ledger:
        answer = RequestProcessor(ledger, online=False).process(request, options.request)
    name = f"{digits(answer.number)}.response"
    try:
        Folder(folder).write(name, answer.content, PRIVATE)
    except LicensingError as error:
        what = f"The {answer.action} request for license {answer.number} was answered: it is {answer.outcome}"
        again = "Process the same file again: you get the same response, and nothing more is spent."
        raise unwritten(error, what, again) from error
    return {**_answered(answer), "repeated": answer.repeated, "response": str(folder / name)}


def _answered(answer: Answer) -> dict[str, Any]:
    return {
        "number": answer.number,
        "action": answer.action,
        "outcome": answer.outcome,
        "reason": answer.reason["what"] if answer.reason else None,
        "answered": answer.issued,
    }


def _status(options: argparse.Namespace) -> dict[str, Any]:
    from .ledger import Ledger
    from .processor import RequestProcessor

    request = read_file(options.request)
    with Ledger(options.ledger) as ledger:
        answer = RequestProcessor(ledger, online=False).earlier_answer(request, options.request)
    if answer is not None:
        todo = "If the response is lost, process the file again: you get the same response, and nothing more is spent."
        return {"processed": True, **_answered(answer), "todo": todo}
    body = documents.read(request, documents.REQUEST, options.request).body
    undecided = {"number": body["number"], "action": body["action"], "outcome": None, "reason": None, "answered": None}
    return {"processed": False, **undecided, "todo": "Nothing was decided or spent yet. Process it."}


def _audit(options: argparse.Namespace) -> list[dict[str, Any]]:
    from .audit import check_ledger
    from .ledger import Ledger

    with Ledger(options.ledger) as ledger:
        return check_ledger(ledger)
