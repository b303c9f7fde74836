# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that becomes another while an activation is pending: nobody is asked, nothing is applied or forgotten."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import read_fingerprint
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.drain import DrainOptions
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation, Deactivation
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    SERVER,
    CoreLab,
    LostReply,
    all_files,
    declared,
    problems_of,
)

WAS, IS = "2" * 31 + "b", "3" * 31 + "c"


class Recording(LostReply):
    """A line over which everything arrives, and which tells what was sent but quotes."""

    def exchange(self, number: str, request: bytes) -> bytes | None:
        self.damage = lambda response: response
        return super().exchange(number, request)

    @property
    def sent(self) -> list[bytes]:
        return [request for request in self.requests if b'"action":"quote"' not in request]


def told(lab: CoreLab) -> str:
    """Let the target be another machine; return what is to be told of it."""
    then = read_fingerprint(str(lab.new.root))["machine-id"][:8]
    lab.new.set_machine_id(IS)
    now = read_fingerprint(str(lab.new.root))["machine-id"][:8]
    return (
        f"The pending activation of license {SERVER} was made on another machine than this host is now: "
        f"machine-id ({then} then, {now} now) differ."
    )


def pend(lab: CoreLab, granted: bool) -> None:
    """Let an activation of the target be pending that would spend a transfer, or has spent one."""
    lab.activate(lab.old, SERVER)
    lab.deactivate(lab.old, SERVER)
    if granted:
        with pytest.raises(ConnectionResetError):
            lab.new.manager.activate(Activation(declared(SERVER)), LostReply(lab.realm, lab.desk().answer))
    else:
        lab.new.manager.activate(Activation(declared(SERVER), realm=lab.realm), lab.offline())


Call = Callable[[CoreLab, Any, bool], object]
CALLS: dict[str, Call] = {
    "activate it": lambda lab, line, dry: lab.new.manager.activate(
        Activation(declared(SERVER), realm=lab.realm), line, dry=dry
    ),
    "deactivate it": lambda lab, line, dry: lab.new.manager.deactivate(Deactivation([SERVER]), line, dry=dry),
    "deactivate it, drained": lambda lab, line, dry: lab.new.manager.deactivate(
        Deactivation([SERVER], drain=DrainOptions(0)), line, dry=dry
    ),
    "update it": lambda lab, line, dry: lab.new.manager.update([SERVER], line, dry=dry),
    # Online all that is pending is finished first (invariant I3).
    "activate another": lambda lab, line, dry: lab.new.manager.activate(
        Activation(declared(CLIENT), realm=lab.realm), line, dry=dry
    ),
}


@pytest.mark.parametrize("dry", [False, True], ids=["real", "dry"])
@pytest.mark.parametrize("granted", [False, True], ids=["never arrived", "reply lost"])
@pytest.mark.parametrize("call", CALLS)
def test_a_pending_activation_is_not_asked_for_by_another_machine(
    lab: CoreLab, call: str, granted: bool, dry: bool
) -> None:
    pend(lab, granted)
    words, line = told(lab), Recording(lab.realm, lab.desk().answer)
    before, spent = all_files(lab.new.folder), lab.spent()
    with pytest.raises(LicensingError) as refused:
        CALLS[call](lab, line, dry)
    assert words in problems_of(refused)
    assert line.sent == [] and lab.spent() == spent == int(granted)
    assert {name: file for name, file in all_files(lab.new.folder).items() if name != ".lock"} == {
        name: file for name, file in before.items() if name != ".lock"
    }


@pytest.mark.parametrize("granted", [False, True], ids=["never arrived", "reply lost"])
def test_once_the_machine_is_the_same_again_it_is_asked_for_under_the_same_id(lab: CoreLab, granted: bool) -> None:
    pend(lab, granted)
    asked = lab.new.read("Journal/015120064022.request")
    told(lab)
    with pytest.raises(LicensingError):
        lab.activate(lab.new, SERVER)
    lab.new.set_machine_id(WAS)
    line = Recording(lab.realm, lab.desk().answer)
    lab.new.manager.activate(Activation(declared(SERVER), realm=lab.realm), line)
    assert line.sent == [asked]
    assert lab.new.statuses() == {SERVER: "Active"} and lab.spent() == 1


@pytest.mark.parametrize("dry", [False, True], ids=["real", "dry"])
def test_offline_neither_is_its_request_handed_out_nor_its_response_applied(lab: CoreLab, dry: bool) -> None:
    pend(lab, granted=False)
    responses = lab.process({SERVER: lab.new.read("Journal/015120064022.request")})
    words = told(lab)
    for channel in (lab.offline(), lab.offline(responses)):
        with pytest.raises(LicensingError) as refused:
            lab.new.manager.activate(Activation(declared(SERVER), realm=lab.realm), channel, dry=dry)
        assert problems_of(refused) == [words]
    assert lab.new.open_requests() == ["015120064022.request"] and lab.new.served() == set()
    # Others have nothing to do with it.
    lab.new.manager.activate(Activation(declared(CLIENT), realm=lab.realm), lab.offline(), dry=dry)
    lab.new.set_machine_id(WAS)
    lab.new.manager.activate(Activation(declared(SERVER), realm=lab.realm), lab.offline(responses), dry=dry)
    assert lab.new.served() == (set() if dry else {"015120064022"})


def test_a_change_that_stays_is_mended_by_the_owner_and_the_command_that_is_told(lab: CoreLab) -> None:
    from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.release import release

    pend(lab, granted=True)
    told(lab)
    with pytest.raises(LicensingError) as refused:
        lab.activate(lab.new, SERVER)
    todo = refused.value.problems[0].todo
    assert "under the same id" in todo and "have the authority's owner release the license" in todo
    release(lab.ledger, SERVER, "the machine has become another", lab.clock())
    command = todo[todo.index("(") + 1 : todo.index(")")]
    assert shlex.split(command)[:2] == ["rm", "-f"]
    subprocess.run(command, shell=True, check=True)  # noqa: S602 - the command is the product's own
    lab.activate(lab.new, SERVER)
    assert lab.new.statuses() == {SERVER: "Active"} and lab.spent() == 2


def test_the_overview_shows_what_has_changed_since_the_request(lab: CoreLab) -> None:
    pend(lab, granted=False)
    assert [one["drift"] for one in lab.new.overview["pending"]] == [None]
    told(lab)
    (pending,) = lab.new.overview["pending"]
    assert (pending["drift"]["verdict"], pending["drift"]["changed"]) == ("other", ["machine-id"])


def test_a_pending_deactivation_is_finished_wherever_it_is(lab: CoreLab) -> None:
    """It spends nothing and makes nothing live; the authority judges by the machine that made it."""
    lab.activate(lab.new, SERVER)
    with pytest.raises(ConnectionResetError):
        lab.new.manager.deactivate(Deactivation([SERVER]), LostReply(lab.realm, lab.desk().answer))
    lab.new.set_machine_id(IS)
    assert lab.new.overview["pending"][0]["drift"] is None
    lab.activate(lab.new, CLIENT)
    assert lab.new.open_requests() == [] and lab.new.served() == {"015120055014"}
