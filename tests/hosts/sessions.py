# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Solver sessions on a client host, during a migration: runs there by itself, with Python's own library only.

sessions.py SOURCE TARGET PROFILE NUMBER: hold so many seats of a profile on the source, end each session when the
source announces maintenance, then ask the target again and again until it grants them. Prints one JSON object per
event: ``held``, ``told``, ``released``, ``granted``, with the time of this host.
"""

from __future__ import annotations

import http.client
import json
import secrets
import sys
import time

# Seconds; only so that it ends at all. On a busy machine the migration comes minutes after the first seat.
_LONGEST = 3600


def ask(server, method, path, body=None):
    """Return status and answer of a license server; status 0 where there is none."""
    connection = http.client.HTTPConnection(server, 3400, timeout=5)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    except (OSError, http.client.HTTPException, ValueError):
        return 0, {}
    finally:
        connection.close()


def tell(event, **more):
    sys.stdout.write(json.dumps({"event": event, "at": time.time(), **more}) + "\n")
    sys.stdout.flush()


def take(server, seat, profile, number):
    body = {"profile": profile, "user": f"AIMS\\user{number}", "client": "client"}
    return ask(server, "PUT", f"/v1/seats/{seat}", body)


def main(source, target, profile, count):
    seats = [secrets.token_hex(16) for _number in range(count)]
    for number, seat in enumerate(seats):
        status, _answer = take(source, seat, profile, number)
        tell("held", status=status)
    until = time.monotonic() + _LONGEST
    status, answer = 200, {"maintenance": False}
    while status == 200 and not answer["maintenance"] and time.monotonic() < until:
        time.sleep(0.5)
        # for each of them: a seat of which nothing is heard is taken back after its lease
        for seat in seats:
            status, answer = ask(source, "POST", f"/v1/seats/{seat}/heartbeat")
    tell("told", status=status, **answer)
    # work that is under way is finished first
    time.sleep(1)
    for seat in seats:
        status, answer = ask(source, "DELETE", f"/v1/seats/{seat}")
        tell("released", status=status, released=answer.get("released"))
    for number in range(count):
        seat = secrets.token_hex(16)
        while take(target, seat, profile, number)[0] != 200 and time.monotonic() < until:
            time.sleep(0.1)
        tell("granted")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
