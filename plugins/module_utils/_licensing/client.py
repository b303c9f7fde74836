# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a call reaches a running license server: the seats that clients take, and what its management tells.

The API is described in docs/api.md. Standard library only: the modules on the hosts use it.
"""

from __future__ import annotations

import http.client
import json
import secrets
from typing import Any
from urllib.parse import quote, urlencode

from .errors import LicensingError, Problem, refuse
from .store import CLIENTS_PORT, MANAGEMENT_PORT

TIMEOUT = 10.0
_LIMIT = 8 << 20


class Refused(LicensingError):
    """The license server answered, and said no.

    :ivar code: why, in a word, such as ``no_seat`` or ``maintenance``
    """

    def __init__(self, code: str, problem: Problem) -> None:
        super().__init__([problem])
        self.code = code


class NoAnswer(LicensingError):
    """No license server answered."""


class _Server:
    """One port of a license server.

    :param address: IP address or name
    :param timeout: seconds to wait for a connection, and for each part of an answer
    """

    def __init__(self, address: str, port: int, timeout: float = TIMEOUT) -> None:
        self._address, self._port, self._timeout = address, port, timeout
        self.where = f"http://{f'[{address}]' if ':' in address else address}:{port}"

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection(self._address, self._port, timeout=self._timeout)
        try:
            connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
            answer = connection.getresponse()
            status, content = answer.status, answer.read(_LIMIT)
        except (OSError, UnicodeError, http.client.HTTPException) as error:
            problem = Problem(
                f"The license server does not answer: {str(error) or type(error).__name__}.",
                self.where,
                "See whether it runs (systemctl status aims-license-server), and read its Logging/LicenseServer.log.",
            )
            raise NoAnswer([problem]) from error
        finally:
            connection.close()
        return self._read(status, content)

    def _read(self, status: int, content: bytes) -> dict[str, Any]:
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise refuse(
                "What answers is not our license server.", self.where, "See which process listens there (ss -ltnp)."
            )
        if status == http.client.OK:
            return found
        told = found.get("problem")
        told = told if isinstance(told, dict) else {}
        parts = [str(told.get(part) or "") for part in ("what", "where", "todo")]
        raise Refused(str(found.get("code")), Problem(*parts))


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
        return self._ask("PUT", f"/v1/seats/{quote(seat)}", {"profile": profile, "user": user, "client": client})

    def heartbeat(self, seat: str) -> dict[str, Any]:
        """Keep a seat for another lease; return ``{seat, lease_seconds, maintenance}``.

        :raises Refused: the seat is gone
        """
        return self._ask("POST", f"/v1/seats/{quote(seat)}/heartbeat")

    def release(self, seat: str) -> dict[str, Any]:
        """Give a seat back; return ``{seat, released}``."""
        return self._ask("DELETE", f"/v1/seats/{quote(seat)}")


class Management(_Server):
    """Reads what a license server tells of itself."""

    def __init__(self, address: str, port: int = MANAGEMENT_PORT, timeout: float = TIMEOUT) -> None:
        super().__init__(address, port, timeout)

    def status(self) -> dict[str, Any]:
        """Return ``{version, digest, home, home_id, pid, started, maintenance, seats, listen, …}``."""
        return self._ask("GET", "/v1/status")

    def overview(self) -> dict[str, Any]:
        """Return the overview, with the seats in use."""
        return self._ask("GET", "/v1/overview")

    def clients(self, after: str | None = None, limit: int = 100) -> dict[str, Any]:
        """Return ``{clients, next, total}``: who holds seats, a page of them.

        :param after: what the page before gave as ``next``
        """
        query = {"limit": str(limit), **({} if after is None else {"after": after})}
        return self._ask("GET", f"/v1/clients?{urlencode(query)}")
