# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Solver sessions of a client that go on while their license server is upgraded, with Python's own library only.

hold.py SERVER PROFILE NUMBER: take so many seats and keep them until the server ends them. Prints ``SEAT taken
STATUS`` for each, ``SEAT ended 410`` when the server says so, and other answers than that all is well as ``SEAT told
STATUS``: they do not end a session, which asks again.
"""

from __future__ import annotations

import http.client
import json
import secrets
import sys
import time

_LONGEST = 3600


def ask(server, method, path, body=None):
    """Return the status that a license server answers with; 0 where there is none."""
    connection = http.client.HTTPConnection(server, 3400, timeout=5)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def tell(seat, event, status):
    sys.stdout.write(f"{seat} {event} {status}\n")
    sys.stdout.flush()


def main(server, profile, count):
    seats = [secrets.token_hex(16) for number in range(count)]
    for number, seat in enumerate(seats):
        body = {"profile": profile, "user": f"AIMS\\user{number}", "client": "client"}
        tell(seat, "taken", ask(server, "PUT", f"/v1/seats/{seat}", body))
    until = time.monotonic() + _LONGEST
    while seats and time.monotonic() < until:
        for seat in list(seats):
            status = ask(server, "POST", f"/v1/seats/{seat}/heartbeat")
            if status == http.client.GONE:
                tell(seat, "ended", status)
                seats.remove(seat)
            elif status not in (0, 200):
                tell(seat, "told", status)
        time.sleep(0.2)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
