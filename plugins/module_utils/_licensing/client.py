# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client of a running license server: seats on the clients' port, and data from the management port.

docs/api.md describes the API. Uses only the standard library, because modules run this on the hosts.
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
# Maximum length of a text in an answer, in characters.
_TEXT = 1000


class Refused(LicensingError):
    """The license server refused the call.

    :ivar code: the refusal's code, such as ``no_seat`` or ``maintenance``
    """

    def __init__(self, code: str, problem: Problem) -> None:
        super().__init__([problem])
        self.code = code


class NoAnswer(LicensingError):
    """The license server did not answer."""


class Unable(LicensingError):
    """This machine could not make the call. This says nothing about the license server."""


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
    # A signal to process 0, 1 or a negative number would reach other processes.
    return _is_count(value) and value not in (0, 1)


def _is_lease(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e9


# The members that are used of each answer (docs/api.md). Any program may listen at the port, so they are checked.
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
    """Whether a JSON value has the members of a shape. Additional members are allowed."""
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(_fits(value.get(name), part) for name, part in shape.items())
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(entry, shape[0]) for entry in value)
    return bool(shape(value))


class _Server:
    """One port of a license server.

    :param address: IP address or name
    :param timeout: seconds to wait for the connection, and for each part of an answer
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
            what = f"This machine cannot call the license server: {reason(failure.own)}."
            return Unable([Problem(what, self.where, advice(failure.own))])
        if failure.is_answered:
            return self._stranger()
        problem = Problem(
            f"The license server does not answer: {failure}.",
            self.where,
            "Check that it runs (systemctl status aims-license-server), and read its Logging/LicenseServer.log.",
        )
        return NoAnswer([problem])

    def _stranger(self) -> LicensingError:
        return refuse(
            "The answer is not from our license server.", self.where, "Check which process listens there (ss -ltnp)."
        )


def _writable(answer: Answer) -> Mapping[str, Any] | None:
    """Return the members of an answer, or None if they cannot be encoded, such as half a surrogate pair."""
    members = answer.members()
    try:
        json.dumps(members, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return members


class SeatClient(_Server):
    """Takes, renews and releases seats, as a client of the license server."""

    def __init__(self, address: str, port: int = CLIENTS_PORT, timeout: float = TIMEOUT) -> None:
        super().__init__(address, port, timeout)

    @staticmethod
    def new_id() -> str:
        """Return a random id for a new seat. Repeating a take with this id takes no second seat."""
        return secrets.token_hex(16)

    def take(self, seat: str, profile: str | None, user: str, client: str) -> dict[str, Any]:
        """Take a seat. Return ``{seat, profile, license, lease_seconds, since}``.

        :param seat: the id, from :meth:`new_id`
        :param profile: the profile name; None for the first valid Default
        :raises Refused: no seat is granted
        """
        return self._ask("PUT", f"/v1/seats/{quote(seat)}", _SEAT, {"profile": profile, "user": user, "client": client})

    def heartbeat(self, seat: str) -> dict[str, Any]:
        """Renew the lease of a seat. Return ``{seat, lease_seconds, maintenance}``.

        :raises Refused: the seat has ended
        """
        return self._ask("POST", f"/v1/seats/{quote(seat)}/heartbeat", _KEPT)

    def release(self, seat: str) -> dict[str, Any]:
        """Release a seat. Return ``{seat, released}``."""
        return self._ask("DELETE", f"/v1/seats/{quote(seat)}", _RELEASED)


class Management(_Server):
    """Reads the management port of a license server."""

    def __init__(self, address: str, port: int = MANAGEMENT_PORT, timeout: float = TIMEOUT) -> None:
        super().__init__(address, port, timeout)

    def status(self) -> dict[str, Any]:
        """Return ``{version, digest, home, home_id, pid, started, maintenance, seats, listen, …}``."""
        return self._ask("GET", "/v1/status", _STATUS)

    def overview(self) -> dict[str, Any]:
        """Return the server's overview as JSON values, with the seats in use."""
        return self._ask("GET", "/v1/overview", _OVERVIEW)

    def usage(self) -> Usage:
        """Return the seats in use, the home's id, and the newest clients."""
        seen = self.overview()
        return Usage(
            {license["number"]: license["in_use"] for license in seen["licenses"]},
            {profile["name"]: profile["in_use"] for profile in seen["profiles"]},
            tuple(map(ClientView.of_row, seen["clients"])),
            seen["clients_total"],
            seen["server"]["home_id"],
            # A server of an earlier version tells none.
            {profile["name"]: profile["reuse"] for profile in seen["profiles"] if _is_count(profile.get("reuse"))},
        )

    def holders(self) -> Usage:
        """Return the number of seats in use, and the newest clients."""
        page = self.clients()
        return Usage(clients=tuple(map(ClientView.of_row, page["clients"])), clients_total=page["total"])

    def clients(self, after: str | None = None, limit: int = 100) -> dict[str, Any]:
        """Return a page of clients with seats, ``{clients, next, total}``.

        :param after: ``next`` of the previous page
        """
        query = {"limit": str(limit), **({} if after is None else {"after": after})}
        return self._ask("GET", f"/v1/clients?{urlencode(query)}", _PAGE)
