# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request page (docs/domain.md#request-page): a person uploads request files and gets response files.

The page offers each response as a download, and mails it to the entered address.

It needs no script and no session. Nobody is logged in, so a forged form of another site gains nothing. It could only
cause mails; their number is limited by recipient, by client address, and in total. From the upload, a mail contains
only the license number, which also names the attached file.
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
# Seconds that an answer waits for its mail, and the latest end of that wait after the upload's arrival.
_MAIL_SECONDS, ANSWER_SECONDS = 10.0, 17.0
_TITLE = "License request processing"
_HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Result:
    """The result of one uploaded file.

    :ivar uploaded: the uploaded file's name; shown only on the uploader's page
    :ivar content: the response file, or None
    :ivar problem: the reason for a refusal or a missing answer
    :ivar before: the time of the first answer, if the request was answered before
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
        """Return the result as JSON values."""
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

    def __init__(self, worker: LedgerWorker, mailer: Mailer) -> None:
        self._worker = worker
        self._mailer = mailer
        self._uploads = Window(_UPLOADS, _UPLOADS_WINDOW)
        self._mails = Window(_MAILS, _MAILS_WINDOW)
        self._mails_to = Window(_MAILS_TO_ONE, _MAILS_WINDOW)

    def routes(self) -> Mapping[str, Route]:
        """Return the route of each path."""
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
            name, title=_TITLE, realm=self._worker.realm.name, mails=self._mailer.is_open, files=FILES, **values
        )
        headers = {"Content-Security-Policy": policy(), "X-Frame-Options": "DENY", "Vary": "Accept"}
        return Reply(status, body, _HTML, headers)

    async def _process(self, call: Call) -> Reply:
        client = network(call.address)
        wait = self._uploads.wait(client)
        if wait:
            problem = Problem("This address sent too many uploads.", "address", f"Wait {wait} seconds.")
            raise Refused(429, "too_many", problem, wait)
        self._uploads.add(client)
        email, files = read_upload(call)
        try:
            email = check_email(email, "e-mail address") if email and self._mailer.is_open else ""
        except LicensingError as error:
            return self._refused(call, Refused(400, "email", error.problems[0]), email[:254])
        if not 1 <= len(files) <= FILES:
            what = (
                f"{len(files)} files were uploaded; the maximum is {FILES}."
                if files
                else "No request file was uploaded."
            )
            todo = "Choose files with names such as 015120064022.request."
            return self._refused(call, Refused(400, "files", Problem(what, "request", todo)), email)
        results = await asyncio.gather(*(self._answered(call, at, *file) for at, file in enumerate(files, 1)))
        mailed, words = await self._send(email, results, call.arrived)
        if _wants_json(call):
            return as_json(200, {"results": [result.as_dict(mailed) for result in results]})
        return self._page(
            200,
            "result",
            summary=_summary(results),
            mail=words,
            mail_kind="info" if mailed else "warn",
            results=[_view(result, result.uploaded) for result in results],
            any_link=any(result.content is not None for result in results),
        )

    async def _answered(self, call: Call, at: int, name: str, data: bytes) -> Result:
        try:
            # An uploaded file counts as offline: some actions are refused offline.
            answer = await self._worker.ask(data, call, online=False, where=f"file {at}")
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
        """Mail the results. Return whether the mail was sent, and a sentence for the page."""
        download = "Download the response files below."
        if not self._mailer.is_open:
            return False, f"This authority sends no mail. {download}"
        if not to:
            return False, f"No e-mail address was entered. {download}"
        if self._mails_to.wait(to.lower()) or self._mails.wait(""):
            return False, f"No mail was sent: the limit of mails is reached. {download}"
        # Counted before sending, so that parallel uploads cannot exceed the limit.
        self._mails_to.add(to.lower())
        self._mails.add("")
        files = [(result.file, result.content) for result in results if result.file and result.content is not None]
        mail = Mail(to, _subject(results), _text(self._worker.realm.name, results), files)
        try:
            await self._mailer.send(mail, min(_MAIL_SECONDS, arrived + ANSWER_SECONDS - time.monotonic()))
        except NotSent as error:
            return False, f"No mail was sent: {error}. {download}"
        return True, f"A mail with the same response files was sent to {to}."


def _wants_json(call: Call) -> bool:
    return "application/json" in call.headers.get("accept", "")


def _summary(results: Sequence[Result]) -> str:
    files = f"{len(results)} file{'s' * (len(results) > 1)}"
    granted = sum(result.outcome == "granted" for result in results)
    return f"{files} processed, {granted} granted." if granted < len(results) else f"{files} processed, all granted."


_DONE = {"activate": "Activation", "deactivate": "Deactivation", "update": "Update", "quote": "Quote"}
_KINDS = {"granted": ("good", "Granted"), "refused": ("warn", "Refused"), "unanswered": ("bad", "Not processed")}


@dataclass(frozen=True)
class _ResultView:
    """A result as the page and the mail show it."""

    kind: str
    badge: str
    title: str
    lines: Sequence[str]
    file: str | None
    link: str | None


def _view(result: Result, name: str = "") -> _ResultView:
    kind, badge = _KINDS[result.outcome]
    title = (
        f"{_DONE[str(result.action)]} of {result.number}"
        if result.number
        else str(result.problem.where if result.problem else "")
    )
    title = f"{title}: {name}" if name and not result.number else title
    # A data: link has the file itself, so the server stores nothing, and nobody else can fetch it.
    content = base64.b64encode(result.content).decode() if result.content is not None else None
    link = f"data:application/octet-stream;base64,{content}" if content is not None else None
    return _ResultView(kind, badge, title[:1].upper() + title[1:], _lines(result), result.file, link)


def _lines(result: Result) -> list[str]:
    if result.before is not None:
        again = f"It was first answered at {result.before}. This is the same response; nothing more is spent."
        return [again, *(_lines(replace(result, before=None)) if result.problem else [])]
    if result.problem is not None:
        return [result.problem.what, result.problem.todo]
    if result.action != "activate":
        return []
    spent = "This spends one transfer" if result.spends else "This spends no transfer"
    return [f"{spent}; {result.left} are left." if result.left is not None else f"{spent}."]


def _subject(results: Sequence[Result]) -> str:
    numbers = list(dict.fromkeys(result.number for result in results if result.number))
    if not numbers:
        return "License request: not processed"
    return f"License response: {', '.join(numbers[:3])}{' and others' * (len(numbers) > 3)}"


def _text(realm: str, results: Sequence[Result]) -> str:
    """Return the mail's text. It has no text from the upload, because anybody's address may be entered."""
    parts = [f"Request files were uploaded to the authority {realm}, with this address for the responses.\n"]
    for result in results:
        view = _view(result)
        parts.append(f"\n{view.title}: {view.badge}\n")
        # A problem may quote the upload. The page shows it; the mail must not.
        unread = ["This authority cannot answer this file; the page shows the reason."]
        parts += [f"  {line}\n" for line in (unread if result.content is None else view.lines)]
        if result.file:
            parts.append(f"  Response file: {result.file}\n")
    parts.append(
        "\nLoad each response file, refusals too, on the license server that made the request.\n"
        "If you did not upload these files, you need not do anything: only the machine that made a request can use its "
        "response.\n"
    )
    return "".join(parts)
