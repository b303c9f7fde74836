# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The read-only management port: status, overview, clients, metrics, and the console."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import LicensingError, Problem
from .console import is_expected_host, machine_names, routes
from .running import SHOWN, Running

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest
    from tornado.web import Application

# Maximum number of clients on a page.
_PAGE = 1000


def _refusals() -> dict[int, tuple[str, Problem]]:
    """Return code and problem by HTTP status."""
    return {
        400: (
            "malformed",
            Problem(
                "This is not a page of clients.",
                "query",
                "Use limit=1 to 1000, and for after the value of next from the previous page.",
            ),
        ),
        403: (
            "not_here",
            Problem(
                "The Host header names another machine.",
                "header Host",
                "Use this machine's name or one of its IP addresses, or allow the name "
                "(aims_license_server_allowed_hosts).",
            ),
        ),
        404: ("not_found", Problem("This path does not exist.", "request", "See docs/api.md.")),
        405: ("method_not_allowed", Problem("The management port is read-only.", "request", "Use GET.")),
        500: ("failed", Problem("The license server failed.", "request", "Read its Logging/LicenseServer.log.")),
    }


def application(running: Running) -> Application:
    """Return the handlers of the management port."""
    from tornado.routing import URLSpec
    from tornado.web import Application

    from .http import read_only_handler

    class Handler(read_only_handler()):  # type: ignore[misc]  # the base is created at run time
        """Base of the handlers: answers and errors are JSON."""

        def set_default_headers(self) -> None:
            self.set_header("Content-Type", "application/json")
            self.set_header("Cache-Control", "no-store")
            self.set_header("X-Content-Type-Options", "nosniff")

        def write_error(self, status_code: int, **options: Any) -> None:
            self.refuse(status_code, *refusals.get(status_code, refusals[500]))

        def refuse(self, status: int, code: str, problem: Problem) -> None:
            self.set_status(status)
            self.finish(json.dumps({"code": code, "problem": problem.as_dict()}))

    class Data(Handler):
        def get(self, name: str) -> None:
            try:
                answer = answers[name](self)
            except LicensingError as error:
                self.refuse(503, "unreadable", error.problems[0])
            else:
                self.finish(json.dumps(answer, ensure_ascii=False))

        def clients(self) -> dict[str, Any]:
            after = self.get_query_argument("after", "")
            limit = _number(self.get_query_argument("limit", str(SHOWN)))
            return running.clients(_number(after) if after else None, max(1, min(limit, _PAGE)))

    class Metrics(Handler):
        def get(self) -> None:
            self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.finish(running.metrics())

    class NotFound(Handler):
        def refuse_all(self) -> None:
            self.send_error(404)

        # Answer after the body has arrived: a client that is still sending would not see the answer.
        get = head = post = put = delete = patch = options = refuse_all

    class WrongHost(Handler):
        def refuse_all(self) -> None:
            self.send_error(403)

        get = head = post = put = delete = patch = options = refuse_all

    class Management(Application):
        def find_handler(self, request: HTTPServerRequest, **options: Any) -> Any:
            if not is_expected_host(request.headers.get("Host"), {*names, *running.allowed_hosts}):
                return self.get_handler_delegate(request, WrongHost)
            return super().find_handler(request, **options)

    answers: dict[str, Callable[[Any], dict[str, Any]]] = {
        "status": lambda handler: running.status(),
        "overview": lambda handler: running.overview().as_dict(),
        "clients": lambda handler: dict(handler.clients()),
        "history": lambda handler: running.history(),
    }
    names, refusals = machine_names(), _refusals()
    specs: list[Any] = [
        URLSpec(rf"/v1/({'|'.join(answers)})", Data),
        URLSpec(r"/metrics", Metrics),
        *routes(),
    ]
    # Requests are not logged, because a console that refreshes every few seconds would fill the log.
    return Management(specs, default_handler_class=NotFound, log_function=lambda handler: None)


def _number(text: str) -> int:
    """Read a number within SQLite's range; otherwise answer 400."""
    from tornado.web import HTTPError

    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise HTTPError(400)
    return int(text)
