# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drain as the controller makes it: many short calls, each of which asks its host for the next few seconds only.

What cannot be undone then begins while the controller is here to see it through. Where it is gone, the host's server
gives new seats again within a minute by itself; where it is interrupted, at once.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.utils.display import Display
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fields import Fields, Kind
from ansible_collections.aims.licensing.plugins.module_utils._licensing.lease import LENGTH
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.results import Action
from ansible_collections.aims.licensing.plugins.plugin_utils._action import Unreached

Call = Callable[..., dict[str, Any]]
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Seconds between two lines that say the same, between two attempts to reach a host, and for ending a drain.
_SAID = 15.0
_RETRY = 1.0
_ENDING = 10
_NAMED = 5
# How much longer than the drain giving up may take; a host that claims to be at it for ever is not waited for.
_LONGEST = 3600.0
KIND = Kind(
    "a result of a drain", "Look at that host: something between the module and the controller changes results."
)


@dataclass(frozen=True)
class Seats:
    """The seats that a drain waits for.

    :ivar seconds: how long it has waited for them in its last call
    :ivar total: how many are still in use
    :ivar holders: who holds the first of them, each as ``PROFILE by USER``
    :ivar is_known: whether the license server says who uses its seats
    """

    seconds: float = 0.0
    total: int = 0
    holders: tuple[str, ...] = ()
    is_known: bool = True

    @classmethod
    def read(cls, fields: Fields) -> Seats:
        holders = [f"{row.text('profile')} by {row.text('user')}" for row in fields.rows("clients", ())[:_NAMED]]
        return cls(
            fields.seconds("seconds"), fields.whole("total"), tuple(map(_plain, holders)), fields.flag("answered", True)
        )

    @property
    def in_words(self) -> str:
        """Say who still holds seats; empty where nobody does."""
        if not self.is_known:
            return "the license server does not say who uses its seats"
        more = f", and {self.total - len(self.holders)} more" if self.total > len(self.holders) else ""
        return f"{self.total} seats are still in use: {', '.join(self.holders)}{more}" if self.total else ""


@dataclass(frozen=True)
class Answer:
    """What a call of a drain has answered.

    :ivar result: as the module returned it, for the task
    :ivar done: the rows of the licenses whose exchange ended, by number
    :ivar again: the ticket to make the call again with; None where it is over
    """

    result: dict[str, Any]
    drained: Seats
    done: Mapping[str, object]
    again: str | None

    @classmethod
    def of(cls, result: dict[str, Any], host: str) -> Answer:
        """Read a module's result.

        :raises LicensingError: it is not that of a drain; the message names the first field that is wrong
        """
        fields = Fields.of(result, KIND, host)
        rows, drained = fields.rows("results", ()), fields.part_or_none("drained")
        done = {row.text("number"): row.values for row in rows if row.text("action") != Action.UNCHANGED}
        return cls(result, Seats.read(drained) if drained else Seats(), done, fields.text_or_none("again"))

    @property
    def has_failed(self) -> bool:
        return bool(self.result.get("failed"))

    def after(self, before: Answer) -> Answer:
        """Put it together with what the calls before it have answered."""
        if self.has_failed:
            return self
        merged = {**self.result, "changed": bool(before.result.get("changed")) or bool(self.result.get("changed"))}
        done = {**before.done, **self.done}
        merged["results"] = [done.get(row["number"], row) for row in self.result.get("results") or []]
        if self.drained.seconds == 0 and "drained" in self.result:
            merged["drained"] = before.result.get("drained")
        return replace(self, result=merged, done=done)

    @property
    def as_result(self) -> dict[str, Any]:
        """The task's result."""
        return {name: value for name, value in self.result.items() if name != "again"}


def in_steps(call: Call, host: str, seconds: object) -> dict[str, Any]:
    """Make a module's call again and again until it says that it is over; return its result.

    :param call: runs the module, with these arguments more
    :param host: the name of its host
    :param seconds: how long it is to wait for seats, as the task says; whether that is a number, the module finds out
    """
    ticket = secrets.token_hex(16)
    with _ended(lambda: call(drain_ticket=ticket, drain_end=True)):
        return _Steps(call, host, ticket, _number(seconds)).run()


def _number(seconds: object) -> float:
    try:
        return float(str(seconds))
    except ValueError:
        return 0.0


class _Steps:
    def __init__(self, call: Call, host: str, ticket: str, seconds: float) -> None:
        self._call, self._host, self._ticket = call, host, ticket
        self._parent = os.getppid()
        self._began = self._heard = time.monotonic()
        self._last = self._began + seconds + _LONGEST
        self._said: tuple[str, float] = ("", 0.0)

    def run(self) -> dict[str, Any]:
        """Make the calls; return the result of all."""
        before: Answer | None = None
        while True:
            answer = self._step(before is not None)
            if answer is None:
                continue
            if before is not None:
                answer = answer.after(before)
            if answer.again is None or answer.has_failed:
                return answer.as_result
            before, self._ticket = answer, answer.again[:64] or self._ticket
            if os.getppid() != self._parent:
                # A worker goes on when the command that it works for was killed.
                raise refuse("The command was ended.", self._host, "Run the same command again.")
            if time.monotonic() > self._last:
                raise refuse(
                    "The host does not come to an end with giving up its licenses.",
                    self._host,
                    "See what it does (licman --overview there), then run the same command again.",
                )
            self._say(answer.drained)

    def _step(self, again: bool) -> Answer | None:
        """Make a call; return what it answered, or None where a connection that was there is gone for a moment."""
        began = time.monotonic()
        try:
            result = self._call(drain_ticket=self._ticket, drain_waited=began - self._began if again else 0.0)
        except (AnsibleConnectionFailure, Unreached) as error:
            if not again or time.monotonic() - self._heard > LENGTH.total_seconds():
                raise
            Display().display(f"{self._host}: {_plain(str(error).partition(chr(10))[0])} It is tried again.")
            time.sleep(_RETRY)
            return None
        self._heard = time.monotonic()
        answer = Answer.of(result, self._host)
        if answer.drained.total:
            # A call waits for the seats by itself; where one does not, the host is not asked without a pause.
            time.sleep(max(0.0, began + _RETRY - self._heard) if answer.again is not None else 0.0)
        return answer

    def _say(self, drained: Seats) -> None:
        """Show who still holds seats, where that has changed, and now and then."""
        what, now = drained.in_words, time.monotonic()
        if what and (what != self._said[0] or now - self._said[1] > _SAID):
            self._said = (what, now)
            Display().display(f"{self._host}, after {now - self._began:.0f} seconds: {what}.")


def _plain(text: str) -> str:
    """Return what a host said, fit for a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text[:300])


@contextlib.contextmanager
def _ended(end: Callable[[], object]) -> Iterator[None]:
    """Have a drain ended at once where the block ends with an error, or is interrupted.

    Where the host cannot be reached, it ends by itself.
    """
    came: list[int] = []

    def stop(number: int, frame: object) -> None:
        came.append(number)
        for other in _SIGNALS:
            # What follows is bounded, and is not to be interrupted once more: Ansible sends its workers a second one.
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt

    with _handled(stop):
        try:
            yield
            return
        except (AnsibleConnectionFailure, Unreached):
            raise
        except BaseException:
            with _handled(signal.SIG_IGN), _bounded(_ENDING), contextlib.suppress(BaseException):
                end()
            if not came:
                raise
    # Whoever was to hear of it hears of it now, as if nothing had been in between.
    os.kill(os.getpid(), came[0])
    raise KeyboardInterrupt


@contextlib.contextmanager
def _handled(handler: Any) -> Iterator[None]:
    """Handle what ends a command by a handler of ours; outside of the main thread, nothing of it arrives."""
    before = {}
    for number in _SIGNALS:
        # Who started the command under nohup has it go on.
        if signal.getsignal(number) != signal.SIG_IGN:
            with contextlib.suppress(ValueError):
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)


@contextlib.contextmanager
def _bounded(seconds: int) -> Iterator[None]:
    """Interrupt the block after some seconds."""

    def stop(number: int, frame: object) -> None:
        raise TimeoutError

    try:
        before = signal.signal(signal.SIGALRM, stop)
    except ValueError:
        yield
        return
    left = signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(left)
        signal.signal(signal.SIGALRM, before)
