# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done in a child process, and what befalls it there: a real kill, or an error of the system."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import sqlite3
import struct
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing import faults
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager import freshness

REFUSED, CRASHED = 1, 70
_SECONDS = 60
_WRITES = (
    "files.write.begin",
    "files.write.made",
    "files.write.filled",
    "files.write.synced",
    "files.make",
    "bundle",
    "ledger.create.made",
    "ledger.create.filled",
)
# Where SQLite is asked for something.
_SQL = ("ledger.statement", "register.statement", "register.opened", "register.schema")
_CHANGING = ("INSERT", "UPDATE", "DELETE", "COMMIT", "CREATE")
Trace = list[tuple[str, str]]
# What has become of whoever waits for a call's answer: there, gone without a word, or gone with the connection.
THERE, GONE, HUNG_UP = "there", "gone", "hung up"
# How long a call is held up, in seconds of the machine.
_HELD_UP = 3600.0
# Of these a call hears nothing by itself.
NO_ERROR = ("stop", "hold", "gone", "hang up")
listener = THERE


def end_unheard() -> None:
    """End as a call does that nobody waits for any more: nothing is done with what it answers."""
    if listener != THERE:
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Fault:
    """What befalls a process.

    :ivar kind: ``kill``, ``error`` (once), ``full`` or ``readonly`` (from then on); ``stop``, or ``hold`` for an hour;
        ``gone`` or ``hang up`` of whoever waits for what the process answers
    :ivar at: the number of points that it passes before, counted from 0
    """

    kind: str
    at: int

    def hook(self) -> Callable[[str, str], None]:
        passed = -1

        def reached(point: str, what: str) -> None:
            nonlocal passed
            passed += 1
            if passed == self.at and self.kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.kind in NO_ERROR:
                if passed == self.at:
                    self._act()
            elif (passed == self.at or (passed > self.at and self.kind != "error")) and fits(self.kind, point, what):
                fail(self.kind, point)

        return reached

    def _act(self) -> None:
        global listener
        if self.kind in ("stop", "hold"):
            os.kill(os.getpid(), signal.SIGSTOP)
        if self.kind == "hold":
            uptime = freshness.uptime
            freshness.uptime = lambda: uptime() + _HELD_UP
        listener = {"gone": GONE, "hang up": HUNG_UP}.get(self.kind, listener)


def fits(kind: str, point: str, what: str) -> bool:
    """Whether a kind of fault can befall a process at a point: only what calls the system can be failed by it."""
    if kind == "kill" or kind in NO_ERROR:
        return True
    if kind == "error":
        return point in _SQL or point.startswith(("files.", "ledger.create.", "channel.https.", "bundle."))
    if kind == "full":
        changes = point == "register.schema" or what.startswith(_CHANGING)
        return point.startswith(_WRITES) or (point in _SQL and changes)
    return what.startswith("Nodelocks/") and point in ("files.write.synced", "files.remove.begin")


def fail(kind: str, point: str) -> None:
    if point in _SQL:
        raise sqlite3.OperationalError("database or disk is full" if kind == "full" else "disk I/O error")
    number = {"error": errno.EIO, "full": errno.ENOSPC, "readonly": errno.EPERM}[kind]
    raise OSError(number, os.strerror(number))


@dataclass(frozen=True)
class Outcome:
    """How a child ended.

    :ivar how: ``done``, ``refused``, ``killed`` or ``crashed``
    :ivar told: what it returned, or its problems
    :ivar said: its standard output and error
    """

    how: str
    told: Any
    said: str
    trace: Trace


def spawn(act: Callable[[], Any], log: Path, hook: Any = None, umask: int = 0o022) -> int:
    """Begin something in a child; return its process id. It writes what it returns beside its log."""
    pid = os.fork()
    if pid:
        return pid
    code = CRASHED
    try:
        signal.alarm(_SECONDS)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os.umask(umask)
        faults.hook = hook
        try:
            told, code = act(), 0
            end_unheard()
        except LicensingError as error:
            told, code = [problem.as_dict() for problem in error.problems], REFUSED
        faults.hook = None
        log.with_suffix(".json").write_text(json.dumps(told), encoding="utf-8")
    except BaseException:
        code = CRASHED
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def wait(pid: int, log: Path) -> Outcome:
    """Wait for a child's end."""
    _pid, status = os.waitpid(pid, 0)
    said = log.read_text(encoding="utf-8", errors="replace")
    result = log.with_suffix(".json")
    told = json.loads(result.read_text(encoding="utf-8")) if result.exists() else None
    log.unlink()
    result.unlink(missing_ok=True)
    if os.WIFSIGNALED(status):
        killed = os.WTERMSIG(status) == signal.SIGKILL
        return Outcome("killed" if killed else "crashed", None, said + f"\nsignal {os.WTERMSIG(status)}", [])
    how = {0: "done", REFUSED: "refused"}.get(os.WEXITSTATUS(status), "crashed")
    return Outcome(how, told, said, [])


def run(act: Callable[[], Any], log: Path, hook: Any = None, umask: int = 0o022) -> Outcome:
    """Do something in a child, to its end."""
    return wait(spawn(act, log, hook, umask), log)


def record(act: Callable[[], Any], log: Path) -> Outcome:
    """Do something in a child; return the points that it passes too."""
    place = log.with_suffix(".trace")

    def traced(point: str, what: str) -> None:
        with place.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps([point, what]) + "\n")

    place.write_text("", encoding="utf-8")
    outcome = run(act, log, traced)
    trace = [tuple(json.loads(line)) for line in place.read_text(encoding="utf-8").splitlines()]
    place.unlink()
    return Outcome(outcome.how, outcome.told, outcome.said, trace)


@dataclass(frozen=True)
class Cut:
    """What a line does to replies that the authority has sent.

    :ivar at: the first exchange that it befalls, counted from 0
    :ivar lasting: whether all that follow too
    :ivar keep: the part of the reply that arrives, 0 to 1
    """

    at: int
    lasting: bool
    keep: float

    def hits(self, exchange: int) -> bool:
        return exchange == self.at or (self.lasting and exchange > self.at)


class Line:
    """A TCP proxy in a process of its own, which cuts replies after the service has sent them whole."""

    def __init__(self, port: int, cut: Cut) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.pid = os.fork()
        if self.pid == 0:
            signal.alarm(_SECONDS)
            with contextlib.suppress(OSError):
                for exchange in range(1000):
                    client, _address = listener.accept()
                    _carry(client, port, cut.keep if cut.hits(exchange) else None)
            os._exit(0)
        listener.close()

    def end(self) -> None:
        end(self.pid)


def _carry(client: socket.socket, port: int, keep: float | None) -> None:
    """Carry one connection; from when the request has gone out, hold the reply back until it is complete."""
    service = socket.create_connection(("127.0.0.1", port))
    sent, held = 0, b""
    try:
        while True:
            ready, _w, _x = select.select([client, service], [], [])
            if client in ready:
                data = client.recv(65536)
                if not data:
                    return
                sent += len(data)
                service.sendall(data)
            if service in ready:
                data = service.recv(65536)
                # A TLS client has said less than this before its request follows.
                if keep is not None and sent > 1400:
                    held += data
                    if not data:
                        client.sendall(held[: int(len(held) * keep)])
                        # a reset: nobody takes this for the orderly end of a reply
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        return
                elif data:
                    client.sendall(data)
                else:
                    return
    except OSError:
        return
    finally:
        client.close()
        service.close()


class Service:
    """``authority serve`` in a process of its own, forked with everything loaded."""

    def __init__(self, serve: Callable[[], None], hook: Any = None) -> None:
        reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            signal.alarm(_SECONDS)
            os.dup2(writing, 2)
            faults.hook = hook
            try:
                serve()
            finally:
                os._exit(0)
        os.close(writing)
        said = b""
        while b" port " not in said or b"\n" not in said.rpartition(b" port ")[2]:
            data = os.read(reading, 4096)
            if not data:
                # A fault that befell it before it listened: nobody is at this port.
                said = b" port 1\n"
            said += data
        self._log = reading
        self.port = int(said.rpartition(b" port ")[2].split()[0])

    def end(self) -> None:
        end(self.pid)
        os.close(self._log)


def end(pid: int) -> None:
    """End a child of ours."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
