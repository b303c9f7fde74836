# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder on the controller for offline requests and responses."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    quoted,
    refuse,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import PRIVATE, Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.results import Action
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import (
    ACTIVATE,
    DEACTIVATE,
    UPDATE,
    digits,
    parse_number,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction


@dataclass(frozen=True)
class Request:
    """A request file of a folder.

    :ivar name: the file's, within its folder
    :ivar id: by which its response names it
    :ivar action: what it asks for
    """

    name: str
    number: str
    id: str
    action: str
    content: bytes

    @property
    def response_name(self) -> str:
        """The file name of its response."""
        return f"{digits(self.number)}.response"

    @classmethod
    def read(cls, name: str, content: bytes, realm: Realm, where: str) -> Request:
        """Read a request file; refuse a damaged request, or one for another realm.

        A file that is named like a request must have the number of its own license; other names are ignored.
        """
        body = documents.read(content, documents.REQUEST, where).body
        number, id, action = str(body.get("number")), body.get("id"), body.get("action")
        named = f"{digits(parse_number(number, where))}.request"
        known = isinstance(id, str) and isinstance(body.get("fingerprint"), dict)
        misnamed = is_request_name(name) and name != named
        if not isinstance(id, str) or not known or action not in (ACTIVATE, DEACTIVATE, UPDATE) or misnamed:
            raise refuse("The request is incomplete or damaged.", where, "Make it again on the license server's host.")
        if body.get("realm") != realm.id:
            raise refuse(
                f"The request is for realm {str(body.get('realm'))[:16]!r}, this is {realm.id} ({realm.name}).",
                where,
                "Hand it to the authority that it was made for.",
            )
        return cls(name, number, id, str(action), content)


_REQUEST = re.compile(r"[0-9]{12}\.request")
# What browsers and mail programs make of it: N.request.txt, N (1).request, N.REQUEST, "Copy of N.request".
_LIKE_REQUEST = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9]).*request", re.IGNORECASE)
_LIKE_RESPONSE = re.compile(r"response", re.IGNORECASE)
# Files of a folder that are looked into for responses.
_LOOKED_INTO = 1000


def is_request_name(name: str) -> bool:
    """Whether a file is named as requests are written."""
    return _REQUEST.fullmatch(name) is not None


def is_like_request(name: str) -> bool:
    """Whether a file is named like a request, also after a browser or a mail program changed the name."""
    return is_request_name(name) or _LIKE_REQUEST.search(name) is not None


def responses_in(folder: Folder) -> dict[str, dict[str, bytes]]:
    """Return the response files of a folder by request ID: name → content. Their names do not matter.

    Unreadable files and files that are not responses are skipped. Signatures are checked elsewhere.
    """
    answers: dict[str, dict[str, bytes]] = {}
    for name in folder.names()[:_LOOKED_INTO]:
        with contextlib.suppress(LicensingError):
            data = folder.read(name, documents.MAX_BYTES)
            body = documents.read(data, documents.RESPONSE, name).body
            answers.setdefault(str(body.get("request_id")), {})[name] = data
    return answers


class RequestFolder:
    """Writes request files and reads response files; ``done/`` archives both once the response is applied.

    A response is recognized by the request ID in it, because browsers and mail programs change its name.
    """

    def __init__(self, path: Path) -> None:
        self._folder = Folder(path)

    def responses(self, numbers: Sequence[str]) -> list[dict[str, str]]:
        """Return the response files for these licenses, as options of the modules."""
        responses = []
        if self._folder.path.is_dir():
            answers = responses_in(self._folder)
            for number in numbers:
                name = f"{digits(number)}.response"
                answering = answers.get(self._waiting_id(number) or "", {})
                data = answering.get(name) or next(iter(answering.values()), None)
                if data is None:
                    # It answers no request in this folder; the host reports why.
                    data = self._folder.find(name, documents.MAX_BYTES)
                if data is not None:
                    responses.append({"number": number, "content": base64.b64encode(data).decode()})
        return responses

    def _waiting_id(self, number: str) -> str | None:
        """Return the ID of the request that waits for a license, or None."""
        with contextlib.suppress(LicensingError):
            data = self._folder.find(f"{digits(number)}.request", documents.MAX_BYTES)
            body = documents.read(data or b"", documents.REQUEST, number).body
            if digits(parse_number(body.get("number"))) == digits(number):
                return str(body.get("id"))
        return None

    def at_hand(self, numbers: Sequence[str]) -> set[str]:
        """Return the licenses whose response lies here, whatever is in it; a folder that cannot be read shows none."""
        numbered = set()
        with contextlib.suppress(LicensingError):
            answers = responses_in(self._folder)
            numbered = {number for number in numbers if self._waiting_id(number) in answers}
        for number in numbers:
            with contextlib.suppress(OSError):
                (self._folder.path / f"{digits(number)}.response").lstat()
                numbered.add(number)
        return numbered

    def take(self, waiting: Mapping[str, bytes], numbers: Sequence[str]) -> str | None:
        """Write the requests that wait, and put those that are settled among the done ones.

        :param waiting: number → content of the request
        :param numbers: the licenses that the host was asked about
        :return: what to do next, in words, or None where nothing waits
        """
        if self._folder.path.is_dir():
            self._folder.sweep()
        for number in numbers:
            if number not in waiting:
                self._settle(number)
        if not waiting:
            return None
        self._folder.make(mode=0o700)
        for number, request in waiting.items():
            name = f"{digits(number)}.request"
            there = self._folder.find(name, documents.MAX_BYTES)
            # A mail program or an editor may have changed its bytes; it is the same request.
            if there is None or not documents.are_same(there, request, documents.REQUEST):
                # The previous request ended in the same call; its response must not be mistaken for this request's.
                self._settle(number)
                self._folder.write(name, request, PRIVATE)
        return self.next_step(waiting)

    def next_step(self, waiting: Collection[str]) -> str | None:
        """Return what to do next with the requests of these licenses, in words, or None where nothing waits."""
        if not waiting:
            return None
        files = ", ".join(f"{digits(number)}.request" for number in waiting)
        step = (
            f"{len(waiting)} request(s) wait in {self._folder.path}: {files}. Have each processed by the authority "
            "(for a rehearsal, 'authority process FILE.request --ledger PATH'), put the .response files into the "
            "same folder, and run the same command again."
        )
        return step + self._strange()

    def _strange(self) -> str:
        """Return a sentence on files that are named responses and answer no request in the folder."""
        strange: list[str] = []
        with contextlib.suppress(LicensingError):
            answers, names = responses_in(self._folder), self._folder.names()
            asked = {self._waiting_id(name.partition(".")[0]) for name in names if is_request_name(name)}
            useful = {name for mark, files in answers.items() if mark in asked for name in files}
            strange = [name for name in names if _LIKE_RESPONSE.search(name) and name not in useful]
        if not strange:
            return ""
        names_quoted = ", ".join(map(quoted, strange))
        return f" No response to a request that waits is in {names_quoted}: put the original file there."

    def foresee(self, waiting: Collection[str], coming: Collection[str]) -> str | None:
        """Return which requests wait, and which will wait after the real call; check mode writes none.

        :param waiting, coming: license numbers
        """
        files = sorted(f"{digits(number)}.request" for number in coming if number not in waiting)
        new = f"{len(files)} request(s) will wait in {self._folder.path}: {', '.join(files)}." if files else None
        return " ".join(filter(None, [self.next_step(waiting), new])) or None

    def _settle(self, number: str) -> None:
        stem = digits(number)
        request = self._folder.find(f"{stem}.request", documents.MAX_BYTES) if self._folder.path.is_dir() else None
        if request is None:
            return
        body = documents.read(request, documents.REQUEST, self._folder.place(f"{stem}.request")).body
        mark = str(body.get("id"))
        answers = responses_in(self._folder).get(mark, {})
        if self._folder.has(f"{stem}.response"):
            answers.setdefault(f"{stem}.response", b"")
        if body.get("action") == UPDATE and not answers:
            return  # a person made this request, and it is still pending
        # The host chose the ID; the collection's own are hexadecimal.
        if not re.fullmatch(r"[0-9a-f-]{8,64}", mark):
            mark = hashlib.sha256(request).hexdigest()[:32]
        # The request is moved last: until then an interrupted run repeats this, and no response loses its request.
        for name, content in answers.items():
            self._folder.move(name, self._done(f"{stem}-{mark}", content))
        self._folder.move(f"{stem}.request", f"done/{stem}-{mark}.request")

    def _done(self, stem: str, content: bytes) -> str:
        """Return a free name for a response among those that were applied."""
        for at in range(1, _LOOKED_INTO):
            name = f"done/{stem}.response" if at == 1 else f"done/{stem}-{at}.response"
            there = self._folder.find(name, documents.MAX_BYTES)
            if there is None or documents.are_same(there, content, documents.RESPONSE):
                break
        return name


def returned_requests(rows: Sequence[Mapping[str, object]]) -> dict[str, bytes]:
    """Return the requests of a module's result, number → content.

    :raises LicensingError: a request is damaged; number and content name and fill a file here
    """
    return dict(map(_returned, rows))


def _returned(request: Mapping[str, object]) -> tuple[str, bytes]:
    number, text = parse_number(request.get("number"), "request"), request.get("content")
    with contextlib.suppress(ValueError):
        if isinstance(text, str):
            return number, base64.b64decode(text, validate=True)
    raise refuse("The request is incomplete or damaged.", number, "Make it again on the license server's host.")


def read_requests(folder: Folder, realm: Realm, names: list[str]) -> list[Request]:
    """Read the request files; refuse with every problem before any request is uploaded.

    Of several copies of a request, the first is read.
    """
    requests: dict[str, Request] = {}
    problems: list[Problem] = []
    for name in names:
        try:
            content = folder.find(name, documents.MAX_BYTES)
            # Another run may have archived it since it was listed.
            if content is not None:
                request = Request.read(name, content, realm, folder.place(name))
                requests.setdefault(request.id, request)
        except LicensingError as error:
            problems.extend(error.problems)
    if problems:
        raise LicensingError(problems)
    return list(requests.values())


def exchange_files(
    action: LicensingAction, task_vars: dict[str, Any], numbers: Sequence[str], **filled_in: Any
) -> dict[str, Any]:
    """Run an action's module with the response files of the folder, and write the requests that it returns.

    :return: the module's result with ``next_step``: what to do with the request files, or None
    """
    path = action.path("requests_dir")
    folder = RequestFolder(path) if path else None
    responses = folder.responses(numbers) if folder else []
    if path:
        # The module's messages show the absolute path on the controller.
        filled_in["requests_dir"] = str(path)
    result = action.module(task_vars, responses=responses, **filled_in)
    if result.get("failed"):
        return result
    waiting = returned_requests(result["requests"])
    _check_asked(waiting, numbers, action.host(task_vars))
    if folder is None and waiting:
        result["next_step"] = (
            f"{len(waiting)} request(s) wait on the host; set requests_dir to have them on the controller."
        )
    elif folder is None:
        result["next_step"] = None
    elif action.dry:
        coming = [row["number"] for row in result["results"] if row["action"] == Action.PENDING]
        result["next_step"] = folder.foresee(waiting, coming)
    else:
        result["next_step"] = folder.take(waiting, numbers)
    return result


def _check_asked(requests: Mapping[str, bytes], numbers: Sequence[str], host: str) -> None:
    """Refuse requests for licenses of another pair, which this call does not concern."""
    for number, content in requests.items():
        asked_for = documents.read(content, documents.REQUEST, f"{host}, license {number}").body.get("number")
        for strange in (number, asked_for):
            if strange not in numbers:
                raise refuse(
                    f"{host} returned a request for license {quoted(strange)}, which it was not asked about.",
                    host,
                    "Check that host: its answer does not come from this collection. Nothing of it was used.",
                )
        if number != asked_for:
            raise refuse("The request is incomplete or damaged.", number, "Make it again on the license server's host.")
