# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a call reaches a running license server: the seats that clients take, and what its management tells.

The API is described in docs/api.md. Standard library only: the modules on the hosts use it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from .addresses import CLIENTS_PORT, MANAGEMENT_PORT, with_port
from .errors import LicensingError, Problem, refuse
from .http import Answer, Call, Endpoint, Failure, ask
from .overview import ClientView, Usage
from .system import advice, reason

TIMEOUT = 10.0
_LIMIT = 8 << 20
# Characters of the longest text that is used of an answer.
_TEXT = 1000


class Refused(LicensingError):
    """The license server answered, and said no.

    :ivar code: why, in a word, such as ``no_seat`` or ``maintenance``
    """

    def __init__(self, code: str, problem: Problem) -> None:
        super().__init__([problem])
        self.code = code


class NoAnswer(LicensingError):
    """No license server answered."""


class Unable(LicensingError):
    """This machine could not ask, which says nothing about the license server."""


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _TEXT and value.isprintable()


def _is_words(value: object) -> bool:
    return isinstance(value, str)


def _is_told(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def _is_process(value: object) -> bool:
    # A signal to process 1, or to a negative number, would reach others.
    return _is_count(value) and value not in (0, 1)


def _is_lease(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e9


# What is used of each answer (docs/api.md): whoever listens at a port may answer anything.
_CLIENT = dict.fromkeys(("client", "address", "user", "profile", "license", "since"), _is_text)
_SEAT = {"seat": _is_text, "profile": _is_text, "license": _is_text, "lease_seconds": _is_lease, "since": _is_text}
_KEPT = {"seat": _is_text, "lease_seconds": _is_lease, "maintenance": _is_flag}
_RELEASED = {"seat": _is_text, "released": _is_flag}
_STATUS = {"home_id": _is_text, "pid": _is_process}
_PAGE = {"clients": [_CLIENT], "total": _is_count}
_OVERVIEW = {
    "server": {"home_id": _is_text},
    "licenses": [{"number": _is_text, "in_use": _is_count}],
    "profiles": [{"name": _is_text, "in_use": _is_count}],
    "clients": [_CLIENT],
    "clients_total": _is_count,
}
_REFUSED = {"code": _is_text, "problem": {"what": _is_told, "where": _is_words, "todo": _is_words}}


def _fits(value: object, shape: Any) -> bool:
    """Whether a JSON value has the members of a shape; it may have others too."""
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(_fits(value.get(name), part) for name, part in shape.items())
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(one, shape[0]) for one in value)
    return bool(shape(value))


class _Server:
    """One port of a license server.

    :param address: IP address or name
    :param timeout: seconds to wait for a connection, and for each part of an answer
    """

    def __init__(self, address: str, port: int, timeout: float = TIMEOUT) -> None:
        self._endpoint = Endpoint(address, port, tls=None, connect=timeout, silence=timeout, size=_LIMIT)
        self.where = f"http://{with_port(address, port)}"

    def _ask(self, method: str, path: str, shape: Mapping[str, Any], body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        call = Call(method, path, data, {"Content-Type": "application/json"} if data else {})
        try:
            answer = ask(self._endpoint, call)
        except Failure as failure:
            raise self._failed(failure) from failure
        members = _writable(answer)
        if members is None or not _fits(members, shape if answer.is_ok else _REFUSED):
            raise self._stranger()
        if answer.is_ok:
            return dict(members)
        said = members["problem"]
        raise Refused(members["code"], Problem(said["what"], said["where"], said["todo"]))

    def _failed(self, failure: Failure) -> LicensingError:
        if failure.own is not None:
            what = f"This machine cannot ask the license server: {reason(failure.own)}."
            return Unable([Problem(what, self.where, advice(failure.own))])
        if failure.is_answered:
            return self._stranger()
        problem = Problem(
            f"The license server does not answer: {failure}.",
            self.where,
            "See whether it runs (systemctl status aims-license-server), and read its Logging/LicenseServer.log.",
        )
        return NoAnswer([problem])

    def _stranger(self) -> LicensingError:
        return refuse(
            "What answers is not our license server.", self.where, "See which process listens there (ss -ltnp)."
        )


def _writable(answer: Answer) -> Mapping[str, Any] | None:
    """The members of an answer; none of it where it has what cannot be written, such as half a character."""
    members = answer.members()
    try:
        json.dumps(members, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return members


class SeatClient(_Server):
    """Takes, holds and releases seats as a client of the license server does."""

    def __init__(self, address: str, port: int = CLIENTS_PORT, timeout: float = TIMEOUT) -> None:
        super().__init__(address, port, timeout)

    @staticmethod
    def new_id() -> str:
        """Return the id of a seat to be. Taking it again under the same id takes no second one."""
        return secrets.token_hex(16)

    def take(self, seat: str, profile: str | None, user: str, client: str) -> dict[str, Any]:
        """Take a seat; return ``{seat, profile, license, lease_seconds, since}``.

        :param seat: the id, from :meth:`new_id`
        :param profile: None takes the first valid Default
        :raises Refused: none is to be had
        """
        return self._ask("PUT", f"/v1/seats/{quote(seat)}", _SEAT, {"profile": profile, "user": user, "client": client})

    def heartbeat(self, seat: str) -> dict[str, Any]:
        """Keep a seat for another lease; return ``{seat, lease_seconds, maintenance}``.

        :raises Refused: the seat is gone
        """
        return self._ask("POST", f"/v1/seats/{quote(seat)}/heartbeat", _KEPT)

    def release(self, seat: str) -> dict[str, Any]:
        """Give a seat back; return ``{seat, released}``."""
        return self._ask("DELETE", f"/v1/seats/{quote(seat)}", _RELEASED)


class Management(_Server):
    """Reads what a license server tells of itself."""

    def __init__(self, address: str, port: int = MANAGEMENT_PORT, timeout: float = TIMEOUT) -> None:
        super().__init__(address, port, timeout)

    def status(self) -> dict[str, Any]:
        """Return ``{version, digest, home, home_id, pid, started, maintenance, seats, listen, …}``."""
        return self._ask("GET", "/v1/status", _STATUS)

    def overview(self) -> dict[str, Any]:
        """Return the overview as the server writes it, with the seats in use."""
        return self._ask("GET", "/v1/overview", _OVERVIEW)

    def usage(self) -> Usage:
        """Return the seats in use, of which home, and the first of those who hold them."""
        seen = self.overview()
        return Usage(
            {license["number"]: license["in_use"] for license in seen["licenses"]},
            {profile["name"]: profile["in_use"] for profile in seen["profiles"]},
            tuple(map(ClientView.of_row, seen["clients"])),
            seen["clients_total"],
            seen["server"]["home_id"],
        )

    def holders(self) -> Usage:
        """Return how many seats are in use, and the first of those who hold them."""
        page = self.clients()
        return Usage(clients=tuple(map(ClientView.of_row, page["clients"])), clients_total=page["total"])

    def clients(self, after: str | None = None, limit: int = 100) -> dict[str, Any]:
        """Return ``{clients, next, total}``: who holds seats, a page of them.

        :param after: what the page before gave as ``next``
        """
        query = {"limit": str(limit), **({} if after is None else {"after": after})}
        return self._ask("GET", f"/v1/clients?{urlencode(query)}", _PAGE)
