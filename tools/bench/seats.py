# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the license server with many seats held, beside a handler of the same framework that only answers {}.

Both are processes of their own with the same settings of the framework, get the very same requests, and are measured
by turns in one run, by a third process. Takes and releases are durable: each is answered after a synced commit.
Half of the sessions have a seat each, the others share one with the sessions of their user and device.

Exits with 1 where a request fails or a seat is missing; never for time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import select
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / "tests"), str(CHECKOUT / ".build" / "collections")]

from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import CLIENTS_PORT
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.issue import new_license
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger  # noqa: E402
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.processor import RequestProcessor  # noqa: E402
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import Embedded  # noqa: E402
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.bundled import BundledManager
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.terminal import text_table  # noqa: E402
from support.licsrv import Server, free_address  # noqa: E402
from support.worked_example import HOME  # noqa: E402

# Number, code, type and profile of the licenses.
LICENSES = (
    ("015.120.065.016", "W3HDU-8PZKE-5MJYF-QA6TX-N2C9R", "PRO Session", "PROSession"),
    ("015.120.055.014", "K7RFP-2VWDM-9TNHB-XE4GS-Q5J6Y", "AIMMS Network - PRO Client", "Client"),
)
# Sessions of a user on a device, of those that share a seat.
SHARERS = 4
CONNECTIONS = (1, 16, 64)
# what is asked for
RATIO, P99, MEMORY, START = 0.7, 20.0, 100.0, 1.0


def place(seat: str) -> int:
    """Return the number of the user and the device of a session."""
    return int(seat, 16) // (2 * SHARERS)


def shares(seat: str) -> bool:
    """Whether a session shares a seat with others of its user and device."""
    return int(seat, 16) % 2 == 1


def body(seat: str) -> bytes:
    """Return the body of a take."""
    user, client = f"AIMS\\user-{place(seat)}", f"workstation-{place(seat)}.example.org"
    return json.dumps({"profile": LICENSES[shares(seat)][3], "user": user, "client": client}).encode()


def request(operation: str, seat: str) -> bytes:
    """Return the bytes of a request as a client sends it."""
    content = body(seat) if operation == "take" else b""
    head = {
        "take": f"PUT /v1/seats/{seat} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {len(content)}",
        "heartbeat": f"POST /v1/seats/{seat}/heartbeat HTTP/1.1\r\nContent-Length: 0",
        "release": f"DELETE /v1/seats/{seat} HTTP/1.1",
    }[operation]
    return f"{head}\r\nHost: license-server:3400\r\n\r\n".encode() + content


def load(address: str, connections: int, operation: str, seats: Sequence[str]) -> dict[str, Any]:
    """Send one request per seat over so many connections, each waiting for its answer; return what was measured."""
    waiting = deque(request(operation, seat) for seat in seats)
    count, errors, latencies = len(waiting), 0, []
    begun: dict[int, float] = {}
    sockets: dict[int, socket.socket] = {}
    poll = select.epoll()
    for _connection in range(min(connections, count)):
        made = socket.create_connection((address, CLIENTS_PORT))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(made, select.EPOLLIN)
        sockets[made.fileno()] = made
    clock = time.perf_counter
    start = clock()
    for handle, made in sockets.items():
        begun[handle] = clock()
        made.send(waiting.popleft())
    parts = dict.fromkeys(sockets, b"")
    while len(latencies) < count:
        for handle, _event in poll.poll(30):
            data = parts[handle] + sockets[handle].recv(4096)
            head, gap, body = data.partition(b"\r\n\r\n")
            length = head.rpartition(b"Content-Length: ")[2].partition(b"\r\n")[0]
            if not gap or len(body) < int(length):
                if data == parts[handle]:
                    raise ConnectionError("the server closed a connection")
                parts[handle] = data
                continue
            parts[handle] = b""
            now = clock()
            latencies.append(now - begun[handle])
            errors += not data.startswith(b"HTTP/1.1 200")
            if waiting:
                begun[handle] = now
                sockets[handle].send(waiting.popleft())
    seconds = clock() - start
    for made in sockets.values():
        made.close()
    latencies.sort()
    return {
        "rate": count / seconds,
        "p50": latencies[count // 2] * 1000,
        "p99": latencies[min(count - 1, count * 99 // 100)] * 1000,
        "errors": errors,
    }


def empty(address: str) -> None:
    """Serve a handler that only answers {}, with the settings of the license server."""
    from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.http import server
    from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.listening import bind
    from tornado.web import Application, RequestHandler

    class Empty(RequestHandler):
        def put(self, *parts: str) -> None:
            self.write("{}")

        post = delete = put

    async def serve() -> None:
        made = Application([(r"/v1/seats/([0-9a-f]{32})(/heartbeat)?", Empty)], log_function=lambda handler: None)
        server(made, 4096).add_sockets(bind(address, CLIENTS_PORT))
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(serve())


class Bench:
    """Two servers, and a process that asks them."""

    def __init__(self, folder: Path, held: int) -> None:
        self._folder = folder
        self.held = [f"{at:032x}" for at in range(held)]
        self._next = held

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run the two servers and the process that asks them."""
        home = self._home()
        with contextlib.ExitStack() as stack:
            self.server = stack.enter_context(Server(HOME, str(home.root), "--lease", "86400", "--stop-after", "3600"))
            self.empty_address = free_address()
            own = [sys.executable, __file__]
            self._empty = stack.enter_context(_child([*own, "--empty", self.empty_address]))
            self._empty.stdout.readline()
            self._asker = stack.enter_context(_child([*own, "--ask"]))
            yield

    def _home(self) -> Home:
        """Make a home with licenses that have room for the held seats and those that are measured."""
        shutil.rmtree(self._folder, ignore_errors=True)
        root = self._folder / "root"
        (root / "etc").mkdir(parents=True)
        (root / "etc" / "machine-id").write_text("1" * 31 + "a\n", encoding="utf-8")
        home = Home(HOME, str(root))
        home.create()
        now = datetime.now(timezone.utc).replace(microsecond=0)
        dates = [(now + timedelta(days=days)).date().isoformat() for days in (-1, 30)]
        with Ledger.create(str(self._folder / "authority.db"), "bench") as ledger:
            with ledger.change():
                for number, code, kind, _profile in LICENSES:
                    terms = (kind, 2 * len(self.held) + 10_000, *dates)
                    ledger.put_license(new_license(ledger.realm, number, code, terms), now)
            answer = RequestProcessor(ledger, True, lambda: now).answer
            channel = Embedded(ledger.realm, "the authority", answer, ledger.check_writable)
            declared = [DeclaredLicense(number, code, profile, True) for number, code, _kind, profile in LICENSES]
            BundledManager(home).activate(Activation(declared), channel)
        return home

    def ask(self, address: str, connections: int, operation: str, seats: Sequence[str]) -> dict[str, Any]:
        """Have the asking process ask; return what it measured."""
        self._asker.stdin.write(json.dumps([address, connections, operation, seats]) + "\n")
        self._asker.stdin.flush()
        return dict(json.loads(self._asker.stdout.readline()))

    def new_seats(self, count: int) -> list[str]:
        """Return ids that were not used before."""
        self._next += count
        return [f"{at:032x}" for at in range(self._next - count, self._next)]

    def memory(self) -> float:
        """Return the most memory that the license server had at a time, in MB."""
        status = Path(f"/proc/{self.server.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def check(self, sessions: Sequence[str]) -> None:
        """Stop unless the server holds these sessions, and has granted as many seats as they take."""
        found = [self.server.status()["seats"]]
        found += [profile["in_use"] for profile in self.server.management.overview()["profiles"]]
        sharers = [seat for seat in sessions if shares(seat)]
        held = [len(sessions), len(sessions) - len(sharers), len(set(map(place, sharers)))]
        if found != held:
            sys.exit(f"The server has {found} sessions, seats of sessions and shared seats, and should have {held}.")

    def restart(self) -> float:
        """Start the server with the seats that are held; return the seconds to its first answer."""
        self.server.stop()
        begun = time.perf_counter()
        self.server.start()
        return time.perf_counter() - begun


@contextlib.contextmanager
def _child(command: Sequence[str]) -> Iterator[Any]:
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.stdin.close()
        child.wait(30)


def answer_asks() -> None:
    """Measure what each line of standard input says, and print what was measured."""
    for line in sys.stdin:
        print(json.dumps(load(*json.loads(line))), flush=True)


def measure(bench: Bench, repeat: int, count: int) -> dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]:
    """Return by ``operation connections`` what was measured of the license server and of {}, by turns."""
    found: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for _repetition in range(repeat):
        for connections in CONNECTIONS:
            seats = bench.new_seats(count)
            for operation in ("take", "heartbeat", "release"):
                floor = bench.ask(bench.empty_address, connections, operation, seats)
                own = bench.ask(bench.server.address, connections, operation, seats)
                found.setdefault(f"{operation} {connections}", []).append((own, floor))
                bench.check(bench.held + ([] if operation == "release" else seats))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="repetitions (%(default)s)")
    parser.add_argument("--requests", type=int, default=2000, metavar="N", help="of each measurement (%(default)s)")
    parser.add_argument("--held", type=int, default=20_000, metavar="N", help="sessions that are held (%(default)s)")
    parser.add_argument("--folder", type=Path, default=CHECKOUT / ".build" / "bench-seats", help="where to work")
    parser.add_argument("--empty", help=argparse.SUPPRESS)
    parser.add_argument("--ask", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.empty or options.ask:
        empty(options.empty) if options.empty else answer_asks()
        return 0
    bench = Bench(options.folder.absolute(), options.held)
    with bench.running():
        filled = bench.ask(bench.server.address, 64, "take", bench.held)
        bench.check(bench.held)
        found = measure(bench, options.repeat, options.requests)
        memory = bench.memory()
        starts = [bench.restart() for _repetition in range(options.repeat)]
        bench.check(bench.held)
    return report(found, filled, memory, starts, options)


def report(
    found: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]],
    filled: dict[str, Any],
    memory: float,
    starts: list[float],
    options: argparse.Namespace,
) -> int:
    """Print what was measured beside what is asked for; return the exit code."""
    rows, errors = [], filled["errors"]
    for name, pairs in found.items():
        operation, connections = name.split()
        failed = sum(own["errors"] + floor["errors"] for own, floor in pairs)
        errors += failed

        def median(what: str, side: int, pairs: Any = pairs) -> float:
            return statistics.median(pair[side][what] for pair in pairs)

        ratios = [own["rate"] / floor["rate"] for own, floor in pairs]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        rates = f"{median('rate', 0):.0f}/s", f"{median('rate', 1):.0f}/s"
        times = [f"{median(what, side):.2f}" for what in ("p50", "p99") for side in (0, 1)]
        rows.append((operation, connections, *rates, spread, *times, failed))
    heads = ("", "Connections", "licsrv", "{}", "Ratio", "p50 ms", "{}", "p99 ms", "{}", "Errors")
    print(text_table(heads, rows))
    print(f"\nMedians of {options.repeat} rounds of {options.requests} requests, with {options.held} sessions held.")
    slowest = max(own["p99"] for own, _floor in found["take 16"])
    goals = []
    for connections in CONNECTIONS:
        ratio = statistics.median(own["rate"] / floor["rate"] for own, floor in found[f"take {connections}"])
        name = f"durable takes beside {{}}, connections: {connections}"
        goals.append((name, f"{ratio:.2f}", f"at least {RATIO}", ratio >= RATIO))
    goals += [
        ("p99 of takes at 16 connections, the worst", f"{slowest:.1f} ms", f"below {P99:g} ms", slowest < P99),
        ("most memory", f"{memory:.0f} MB", f"below {MEMORY:g} MB", memory < MEMORY),
        ("start to first answer, the worst", f"{max(starts):.2f} s", f"below {START:g} s", max(starts) < START),
        ("requests that failed", errors, "0", errors == 0),
    ]
    print("With one connection nothing comes together: each take waits for a commit of its own.")
    print(text_table(("", "Measured", "Asked for", ""), [(*goal[:3], "" if goal[3] else "missed") for goal in goals]))
    measured = {"found": found, "memory_mb": memory, "start_seconds": starts, "errors": errors}
    (options.folder / "seats.json").write_text(json.dumps(measured, indent=1), encoding="utf-8")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
