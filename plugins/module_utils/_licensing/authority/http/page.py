# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request page (docs/domain.md#request-page): it takes request files and an address, and returns response files.

A response is a download on the page, and is mailed to that address.

It needs no script, and no session: nobody is logged in, so that a form which another site makes a browser send can do
nothing in somebody's name that the site could not do itself. What it could do is have mails sent, and how many are is
bounded by recipient, by sender's address, and in all. A mail has nothing in it that an upload chose but the license's
number; a file is named by that number, never by what it was called when it was uploaded.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ... import documents
from ...connections import network
from ...errors import LicensingError, Problem
from ...model import digits
from .guard import Window
from .ledger_worker import LedgerWorker
from .mail import Mail, Mailer, NotSent, check_email
from .templates import ICON, policy, render
from .uploads import read_upload
from .web import Call, Refused, Reply, Route, as_json

FILES = 20
_LIMIT = 256 * 1024
_UPLOADS, _UPLOADS_WINDOW = 60, 600.0
_MAILS, _MAILS_TO_ONE, _MAILS_WINDOW = 300, 10, 3600.0
# Seconds that an answer waits for its mail, and those from the arrival of the upload after which it waits no more.
_MAIL_SECONDS, ANSWER_SECONDS = 10.0, 17.0
_TITLE = "License request processing"
_HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Result:
    """What became of one uploaded file.

    :ivar uploaded: what the file was called when it was uploaded; shown on the page that its sender sees, nowhere else
    :ivar content: the response file, None where there is none
    :ivar problem: why it was refused, or could not be answered
    :ivar before: when the same request was answered first, where this is its response again
    """

    uploaded: str
    number: str | None
    action: str | None
    content: bytes | None
    problem: Problem | None
    spends: int = 0
    left: int | None = None
    before: str | None = None

    @property
    def file(self) -> str | None:
        """The name of the response file."""
        return f"{digits(self.number)}.response" if self.content is not None and self.number else None

    @property
    def outcome(self) -> str:
        if self.content is None:
            return "unanswered"
        return "refused" if self.problem else "granted"

    def as_dict(self, mailed: bool) -> dict[str, Any]:
        """Give the result for programs."""
        return {
            "number": self.number,
            "action": self.action,
            "outcome": self.outcome,
            "file": self.file,
            "content": base64.b64encode(self.content).decode() if self.content is not None else None,
            "repeated": self.before is not None,
            "mailed": mailed,
            "problem": self.problem.as_dict() if self.problem else None,
        }


class Page:
    """Serves the request page."""

    def __init__(self, clerk: LedgerWorker, mailer: Mailer) -> None:
        self._clerk = clerk
        self._mailer = mailer
        self._uploads = Window(_UPLOADS, _UPLOADS_WINDOW)
        self._mails = Window(_MAILS, _MAILS_WINDOW)
        self._mails_to = Window(_MAILS_TO_ONE, _MAILS_WINDOW)

    def routes(self) -> Mapping[str, Route]:
        """Return what each path does."""
        return {
            "/": Route({"GET": self._home}),
            "/icon.svg": Route({"GET": self._icon}),
            "/requests": Route({"GET": self._form, "POST": self._process}, _LIMIT, self._refused),
        }

    async def _home(self, call: Call) -> Reply:
        return Reply(303, b"", "text/plain", {"Location": "/requests"})

    async def _icon(self, call: Call) -> Reply:
        return Reply(200, ICON, "image/svg+xml")

    async def _form(self, call: Call) -> Reply:
        return self._page(200, "form", problem=None, email="")

    def _refused(self, call: Call, refused: Refused, email: str = "") -> Reply:
        if _wants_json(call):
            return as_json(refused.status, {"code": refused.code, "problem": refused.problem.as_dict()})
        return self._page(refused.status, "form", problem=refused.problem, email=email)

    def _page(self, status: int, name: str, **values: Any) -> Reply:
        body = render(
            name, title=_TITLE, realm=self._clerk.realm.name, mails=self._mailer.is_open, files=FILES, **values
        )
        headers = {"Content-Security-Policy": policy(), "X-Frame-Options": "DENY", "Vary": "Accept"}
        return Reply(status, body, _HTML, headers)

    async def _process(self, call: Call) -> Reply:
        client = network(call.address)
        wait = self._uploads.wait(client)
        if wait:
            problem = Problem("Too many uploads came from this address.", "address", f"Wait {wait} seconds.")
            raise Refused(429, "too_many", problem, wait)
        self._uploads.add(client)
        email, files = read_upload(call)
        try:
            email = check_email(email, "e-mail address") if email and self._mailer.is_open else ""
        except LicensingError as error:
            return self._refused(call, Refused(400, "email", error.problems[0]), email[:254])
        if not 1 <= len(files) <= FILES:
            what = f"{len(files)} files were uploaded; up to {FILES} can be." if files else "No request file came."
            todo = "Choose the files named like 015120064022.request."
            return self._refused(call, Refused(400, "files", Problem(what, "request", todo)), email)
        results = await asyncio.gather(*(self._answered(call, at, *file) for at, file in enumerate(files, 1)))
        mailed, words = await self._send(email, results, call.arrived)
        if _wants_json(call):
            return as_json(200, {"results": [one.as_dict(mailed) for one in results]})
        return self._page(
            200,
            "result",
            summary=_summary(results),
            mail=words,
            mail_kind="info" if mailed else "warn",
            results=[_shown(one, one.uploaded) for one in results],
            any_link=any(one.content is not None for one in results),
        )

    async def _answered(self, call: Call, at: int, name: str, data: bytes) -> Result:
        try:
            # A file that was carried here: what may not be done offline is refused.
            answer = await self._clerk.ask(data, call, online=False, where=f"file {at}")
        except LicensingError as error:
            return Result(name, None, None, None, error.problems[0])
        except Refused as refused:
            return Result(name, None, None, None, refused.problem)
        body = documents.read(answer.content, documents.RESPONSE, "response").body
        reason = Problem(**body["reason"]) if body["reason"] else None
        account = body.get("account")
        left = account.get("left") if isinstance(account, Mapping) else None
        before = answer.issued if answer.repeated else None
        spends = body.get("spends") or 0
        return Result(name, answer.number, answer.action, answer.content, reason, spends, left, before)

    async def _send(self, to: str, results: Sequence[Result], arrived: float) -> tuple[bool, str]:
        """Mail the results; return whether the mail server has taken the mail, and the words for it."""
        download = "Download the response files below."
        if not self._mailer.is_open:
            return False, f"No mail is sent from here. {download}"
        if not to:
            return False, f"No e-mail address was given. {download}"
        if self._mails_to.wait(to.lower()) or self._mails.wait(""):
            return False, f"No mail is sent for now: there were too many. {download}"
        # Counted before it is sent, so that uploads at the same time get no more of them.
        self._mails_to.add(to.lower())
        self._mails.add("")
        files = [(one.file, one.content) for one in results if one.file and one.content is not None]
        mail = Mail(to, _subject(results), _text(self._clerk.realm.name, results), files)
        try:
            await self._mailer.send(mail, min(_MAIL_SECONDS, arrived + ANSWER_SECONDS - time.monotonic()))
        except NotSent as error:
            return False, f"No mail was sent: {error}. {download}"
        return True, f"A mail with the same was sent to {to}."


def _wants_json(call: Call) -> bool:
    return "application/json" in call.headers.get("accept", "")


def _summary(results: Sequence[Result]) -> str:
    files = f"{len(results)} file{'s' * (len(results) > 1)}"
    granted = sum(one.outcome == "granted" for one in results)
    return f"{files} processed, {granted} granted." if granted < len(results) else f"{files} processed, all granted."


_DONE = {"activate": "Activation", "deactivate": "Deactivation", "update": "Update", "quote": "Quote"}
_KINDS = {"granted": ("good", "Granted"), "refused": ("warn", "Refused"), "unanswered": ("bad", "Not processed")}


@dataclass(frozen=True)
class _Shown:
    """A result as page and mail show it."""

    kind: str
    badge: str
    title: str
    lines: Sequence[str]
    file: str | None
    link: str | None


def _shown(one: Result, name: str = "") -> _Shown:
    kind, badge = _KINDS[one.outcome]
    title = f"{_DONE[str(one.action)]} of {one.number}" if one.number else str(one.problem.where if one.problem else "")
    title = f"{title}: {name}" if name and not one.number else title
    # A link that carries the file: nothing has to be kept for it, and nobody else can ask for it.
    content = base64.b64encode(one.content).decode() if one.content is not None else None
    link = f"data:application/octet-stream;base64,{content}" if content is not None else None
    return _Shown(kind, badge, title[:1].upper() + title[1:], _lines(one), one.file, link)


def _lines(one: Result) -> list[str]:
    if one.before is not None:
        again = f"It was answered before, at {one.before}. This is the same response again; nothing more is spent."
        return [again, *(_lines(replace(one, before=None)) if one.problem else [])]
    if one.problem is not None:
        return [one.problem.what, one.problem.todo]
    if one.action != "activate":
        return []
    spent = "This spends one transfer" if one.spends else "This spends no transfer"
    return [f"{spent}; {one.left} are left." if one.left is not None else f"{spent}."]


def _subject(results: Sequence[Result]) -> str:
    numbers = list(dict.fromkeys(one.number for one in results if one.number))
    if not numbers:
        return "License request: not processed"
    return f"License response: {', '.join(numbers[:3])}{' and others' * (len(numbers) > 3)}"


def _text(realm: str, results: Sequence[Result]) -> str:
    """The mail's words, with nothing in them that the upload chose: they go to whoever's address was given."""
    parts = [f"Request files were uploaded to the authority {realm}, and this address was given for the answers.\n"]
    for one in results:
        shown = _shown(one)
        parts.append(f"\n{shown.title}: {shown.badge}\n")
        # What is wrong with a file that nobody could answer may quote it; the page says that, a mail does not.
        unread = ["It is not a request that this authority can answer; the page says why."]
        parts += [f"  {line}\n" for line in (unread if one.content is None else shown.lines)]
        if one.file:
            parts.append(f"  Response file: {one.file}\n")
    parts.append(
        "\nLoad each response file on the license server that its request came from, refusals too.\n"
        "If you did not ask for this, nothing needs to be done: only the machine that made a request can use its "
        "response.\n"
    )
    return "".join(parts)
