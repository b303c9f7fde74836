# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance mode, profiles and users by commands that an operator names: what no file shows is never done twice."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.drain import DrainOptions
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Change,
    Maintenance,
    ProfileChange,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.commands import Commands
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile
from support.vendor_host import VendorHost, hurry
from support.vendor_licman import calls
from support.vendor_tree import NUMBERS, SERVER, SESSION

CALLS = {
    "maintenance_on": lambda host, dry=False: host.maintenance(True, dry),
    "maintenance_off": lambda host, dry=False: host.maintenance(False, dry),
    "rename_profile": lambda host, dry=False: host.rename("Profile1", "PROServer", dry=dry),
    "register_user": lambda host, dry=False: host.activate(users=["AIMS\\anna"], dry=dry),
}
RUN = {
    "maintenance_on": "--maintenance=on",
    "maintenance_off": "--maintenance=off",
    "rename_profile": "--rename Profile1 --to PROServer",
    "register_user": "--register AIMS\\anna",
}
DOUBTS = {
    "maintenance_on": "Whether maintenance mode was entered is not known.",
    "maintenance_off": "Whether maintenance mode was left is not known.",
    "rename_profile": "Whether profile Profile1 was renamed to PROServer is not known.",
    "register_user": "Whether user AIMS\\anna was registered is not known.",
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VendorHost:
    hurry(monkeypatch)
    return VendorHost(tmp_path / "host")


@pytest.fixture
def process(host: VendorHost, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that stands for the license server's process."""
    place = host.home.with_name("Aimms.process")
    place.write_text("1\n", encoding="utf-8")
    monkeypatch.setattr(Commands, "_processes", lambda self: place.read_text(encoding="utf-8"))
    return place


def call(host: VendorHost, purpose: str, dry: bool = False) -> Change:
    change: Change = CALLS[purpose](host, dry)
    return change


@pytest.mark.parametrize("purpose", CALLS)
def test_a_command_is_run_as_it_is_named_and_once(host: VendorHost, purpose: str) -> None:
    before = host.everything()
    foreseen = call(host, purpose, dry=True)
    assert foreseen.changed and host.everything() == before and not foreseen.warnings
    change = call(host, purpose)
    assert change.changed and (foreseen.before, foreseen.after) == (change.before, change.after)
    assert calls(host.home)[-1] == RUN[purpose] and "so look in the license manager" in change.warnings[0]
    for dry in (True, False):
        again = call(host, purpose, dry=dry)
        assert not again.changed and again.before == again.after
    assert host.runs(RUN[purpose]) == 1 and host.held == set(NUMBERS)


@pytest.mark.parametrize("variant", ["failure", "prompt", "hang", "killed", "latin-1"])
@pytest.mark.parametrize("purpose", CALLS)
def test_a_command_that_does_not_say_that_it_succeeded_is_in_doubt_and_not_repeated(
    host: VendorHost, purpose: str, variant: str
) -> None:
    host.behaves(other=variant)
    text = str(host.refused(lambda: call(host, purpose)))
    assert DOUBTS[purpose] in text and host.runs(RUN[purpose]) == 1
    host.behaves()
    for dry in (True, False):
        assert str(host.refused(lambda dry=dry: call(host, purpose, dry=dry))) == text
    assert host.runs(RUN[purpose]) == 1 and host.held == set(NUMBERS)
    assert text in [str(problem) for problem in host.manager().obstacles()]


@pytest.mark.parametrize("purpose", CALLS)
def test_what_a_person_saw_ends_the_doubt(host: VendorHost, purpose: str) -> None:
    host.behaves(other="failure")
    text = str(host.refused(lambda: call(host, purpose)))
    (closing,) = re.findall(r"closed ones \((mv [^)]+)\)", text)
    (removing,) = re.findall(r"remove the record \((rm -f [^)]+)\)", text)
    host.behaves()
    subprocess.run(["/bin/sh", "-c", closing], check=True)
    assert not call(host, purpose).changed and host.runs(RUN[purpose]) == 1
    subprocess.run(
        ["/bin/sh", "-c", closing.replace("mv ", "rm -f ").rpartition(" ")[2].join(["rm -f ", ""])], check=True
    )
    host.behaves(other="failure")
    host.refused(lambda: call(host, purpose))
    subprocess.run(["/bin/sh", "-c", removing], check=True)
    host.behaves()
    assert call(host, purpose).changed


@pytest.mark.parametrize("purpose", CALLS)
def test_without_a_named_command_it_is_a_persons_step(host: VendorHost, purpose: str) -> None:
    command, host.named = host.named[purpose], {}
    text = str(host.refused(lambda: call(host, purpose)))
    assert "that is a person's step" in text and calls(host.home) == []
    (name,) = re.findall(r"aims_license_server_vendor_commands, ([a-z_]+)", text)
    host.named[name] = command
    assert call(host, purpose).changed


@pytest.mark.parametrize("purpose", CALLS)
def test_without_the_help_nothing_is_run(host: VendorHost, purpose: str) -> None:
    host.behaves(help="none")
    assert "licman --help prints nothing" in str(host.refused(lambda: call(host, purpose)))
    assert host.runs(RUN[purpose]) == 0


def test_maintenance_mode_is_left_and_entered_again(host: VendorHost) -> None:
    for enabled in (True, False, True):
        change = host.maintenance(enabled)
        assert change.changed and change.after.server.maintenance is enabled
        assert not host.maintenance(enabled).changed
    assert host.runs("--maintenance") == 3


def test_a_server_that_was_restarted_since_is_put_into_maintenance_mode_again(host: VendorHost, process: Path) -> None:
    assert host.maintenance(True).changed and not host.maintenance(True).changed
    process.write_text("2\n", encoding="utf-8")
    change = host.maintenance(True)
    assert change.changed and change.before.server.maintenance is None


def test_leaving_maintenance_mode_is_shown_by_the_restart_alone(host: VendorHost, process: Path) -> None:
    host.behaves(other="restarts")
    assert host.maintenance(False).changed and not host.maintenance(False).changed
    host.behaves()
    host.maintenance(True)
    host.behaves(other="failure that restarts")
    assert host.maintenance(False).changed
    host.behaves()
    host.maintenance(True)
    # Exit code 0 without effect.
    text = str(host.refused(lambda: host.maintenance(False)))
    assert "Whether maintenance mode was left is not known. licman ended with exit code 0" in text
    # Neither command is run while the other's effect is unknown.
    assert str(host.refused(lambda: host.maintenance(False))) == text
    assert host.runs("--maintenance=off") == 3
    process.write_text("restarted\n", encoding="utf-8")
    assert host.maintenance(False).changed and host.runs("--maintenance=off") == 3


def test_a_profile_is_renamed_and_renamed_back(host: VendorHost) -> None:
    change = host.rename("Profile1", "PROServer")
    assert [profile.name for profile in change.before.profiles] == ["Profile1"]
    assert [profile.name for profile in change.after.profiles] == ["PROServer"]
    assert host.rename("PROServer", "Profile1").changed
    assert host.rename("Profile1", "PROServer").changed and not host.rename("Profile1", "PROServer").changed
    assert host.rename("Profile1", "PROSession", SESSION).changed and host.runs("--rename") == 4


def test_profiles_that_a_command_cannot_make_are_a_persons_step(host: VendorHost) -> None:
    change = ProfileChange([Profile("PROServer", SERVER), Profile("PROSession", SESSION)], ["Profile1"])
    text = str(host.refused(lambda: host.manager().set_profiles(change)))
    assert "renames profiles, and neither adds nor removes any" in text and calls(host.home) == []
    marked = ProfileChange([Profile("PROServer", SERVER, True)], ["Profile1"])
    assert "PROServer is marked as default is a person's step" in host.manager().set_profiles(marked).warnings[-1]


def test_users_of_a_license_need_one_license(host: VendorHost) -> None:
    host.named["register_user"] = ["licman", "--register", "{user}", "--to", "{number}"]
    both = (DeclaredLicense(SERVER, None), DeclaredLicense(SESSION, None))
    text = str(host.refused(lambda: host.activate(*both, users=["AIMS\\anna"])))
    assert "Register the users with a call of aims_license_activate for the one license" in text
    assert host.activate(both[0], users=["AIMS\\anna"]).changed
    assert calls(host.home)[-1] == f"--register AIMS\\anna --to {SERVER}"
    assert not host.activate(both[0], users=["AIMS\\anna"]).changed
    assert host.activate(both[0], users=["AIMS\\anna", "AIMS\\bert"]).after.users == ("AIMS\\bert",)


@pytest.mark.parametrize("purpose", CALLS)
def test_a_run_that_is_killed_meanwhile_is_known_by_its_record(host: VendorHost, purpose: str) -> None:
    host.behaves(other="kills its caller")
    child = os.fork()
    if child == 0:
        # The command kills its caller, and that has to be this process alone.
        with contextlib.suppress(BaseException):
            call(host, purpose)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    host.behaves()
    text = str(host.refused(lambda: call(host, purpose)))
    assert DOUBTS[purpose] in text and "was started by a run that was cut off" in text
    assert host.runs(RUN[purpose]) == 1


def test_what_undoes_a_command_in_doubt_waits_for_a_person_too(host: VendorHost) -> None:
    host.maintenance(False)
    host.rename("Profile1", "PROServer")
    host.behaves(other="failure")
    host.refused(lambda: host.maintenance(True))
    host.refused(lambda: host.rename("PROServer", "Profile1"))
    host.behaves()
    # By the records that are closed, nothing would be to be done.
    assert DOUBTS["maintenance_on"] in str(host.refused(lambda: host.maintenance(False)))
    text = str(host.refused(lambda: host.rename("Profile1", "PROServer")))
    assert "Whether profile PROServer was renamed to Profile1 is not known." in text
    assert host.rename("Profile2", "PROSession", SESSION).changed


def test_nobody_is_waited_for(host: VendorHost) -> None:
    drain = Maintenance(True, DrainOptions(5.0, False))
    assert "waits for no seats in use" in str(host.refused(lambda: host.manager().set_maintenance(drain)))
