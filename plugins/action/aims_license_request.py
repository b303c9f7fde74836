# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the controller only: uploads request files to an authority's request page, and downloads the responses."""

from __future__ import annotations

from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import read_numbers
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import PRIVATE, Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import (
    Request,
    is_like_request,
    is_request_name,
    read_requests,
    responses_in,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.portal import Answer, Portal
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.portal_options import (
    check_email,
    check_portal,
    check_realm,
)

_SECONDS = 60


class ActionModule(LicensingAction):
    """Exchanges the request files of a folder for responses on the authority's request page."""

    options = frozenset({"requests_dir", "portal", "realm", "email", "numbers", "timeout", "probe"})
    required = frozenset({"requests_dir", "portal", "realm"})

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        args = self._task.args
        realm = check_realm(args["realm"], "realm")
        address, email = check_portal(args["portal"], "portal"), args.get("email") or ""
        portal = Portal(address, realm, email and check_email(email, "email"), _seconds(args.get("timeout", _SECONDS)))
        path = self.path("requests_dir")
        if path is None:
            raise refuse(
                "No folder of requests is set.",
                "requests_dir",
                "Set requests_dir to the folder with the request files.",
            )
        folder = Folder(path)
        requests = read_requests(folder, realm, self._names(folder))
        answers = responses_in(folder)
        waiting = [
            request for request in requests if request.id not in answers and not folder.has(request.response_name)
        ]
        if self.flag("probe"):
            portal.check()
        if self.dry:
            return self._result(folder, requests, waiting, {}, [])
        return self._result(folder, requests, waiting, *_exchange(portal, folder, waiting))

    def _names(self, folder: Folder) -> list[str]:
        """Return the names of the request files to read; a license without a file has no pending request."""
        # A copy with another name comes after the file that it is a copy of.
        there = sorted(filter(is_like_request, folder.names()), key=lambda name: (not is_request_name(name), name))
        numbers = self._task.args.get("numbers")
        if numbers is None:
            return there
        stems = [digits(number) for number in read_numbers(numbers, "numbers")]
        return [name for stem in stems for name in there if stem in name]

    def _result(
        self,
        folder: Folder,
        requests: list[Request],
        waiting: list[Request],
        answers: dict[str, Answer],
        problems: list[Problem],
    ) -> dict[str, Any]:
        """Return the task's result: it names the responses that came also where something else failed."""
        names = {request.name for request in waiting}
        brought = [request for request in waiting if self.dry or request.name in answers]
        results = []
        for request in requests:
            answer = answers.get(request.name)
            unanswered = "waiting" if request.name in names else "there"
            results.append(
                {
                    "number": request.number,
                    "action": request.action,
                    "outcome": answer.outcome if answer else unanswered,
                    "file": request.response_name,
                    "mailed": answer.mailed if answer else False,
                    "repeated": answer.repeated if answer else False,
                    "problem": answer.problem.as_dict() if answer and answer.problem else None,
                }
            )
        result: dict[str, Any] = {
            "changed": bool(brought),
            "results": results,
            "sent": [request.name for request in waiting],
            "received": [request.response_name for request in brought],
        }
        if self._task.diff:
            result["diff"] = _diff(folder, requests, waiting, brought)
        if problems:
            result.update(
                failed=True, msg=str(LicensingError(problems)), problems=[problem.as_dict() for problem in problems]
            )
        return result


def _exchange(portal: Portal, folder: Folder, waiting: list[Request]) -> tuple[dict[str, Answer], list[Problem]]:
    """Upload the requests, and write each response as soon as it is verified."""
    answers: dict[str, Answer] = {}
    problems: list[Problem] = []
    try:
        for brought, wrong in portal.hand_over(waiting):
            problems.extend(wrong)
            for answer in brought:
                if not folder.has(answer.request.response_name):
                    folder.write(answer.request.response_name, answer.content, PRIVATE)
                answers[answer.request.name] = answer
    except LicensingError as error:
        problems.extend(error.problems)
    return answers, problems


def _diff(folder: Folder, requests: list[Request], waiting: list[Request], brought: list[Request]) -> dict[str, str]:
    """The files that are in the folder, before and after."""
    asked = [request.name for request in requests]
    there = [request.response_name for request in requests if request not in waiting]
    after = [*there, *(request.response_name for request in brought)]
    where = str(folder.path)
    return {
        "before_header": where,
        "before": "".join(f"{name}\n" for name in sorted([*asked, *there])),
        "after_header": where,
        "after": "".join(f"{name}\n" for name in sorted([*asked, *after])),
    }


def _seconds(timeout: object) -> float:
    try:
        seconds = float(str(timeout))
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 600:
        raise refuse(f"{timeout!r} is not a valid number of seconds.", "timeout", "Use 1 to 600 seconds.")
    return seconds
