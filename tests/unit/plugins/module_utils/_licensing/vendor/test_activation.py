# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Licenses are activated by the vendor's command: once each, and by what its files show, whatever the command says."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import OfflineFiles
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import (
    DEFAULT_HOME,
    VENDOR,
    open_manager,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation, Change, HomeFile
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.results import Action
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor import (
    attempts,
    licman,
    site,
)
from support.vendor_licman import calls, make_licman
from support.vendor_tree import CLIENT, SERVER, SESSION, activate, put, stem

CODE = "K7QXM-2RVTA-9HWCP-DE4NZ-J6S8B"
LICENSE = DeclaredLicense(SERVER, CODE, "PROServer")
OTHER = DeclaredLicense(SESSION, "W3HDU-8PZKE-5MJYF-QA6TX-N2C9R")


IN_A_CHILD = """
import sys
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import OfflineFiles
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager import factory
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
root, number, code = sys.argv[1:]
manager = factory.open_manager("vendor", factory.DEFAULT_HOME, root=root)
manager.activate(Activation([DeclaredLicense(number, code, "PROServer")]), OfflineFiles({}))
"""


class Target:
    """A host with the vendor's license server and no license."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "usr" / "local" / "Aimms"
        put(root, "etc/machine-id", b"0123456789abcdef0123456789abcdef\n")
        for folder in ("Bin", "Config", "Licenses", "Logging", "Nodelocks"):
            (self.home / folder).mkdir(parents=True)
        self.behaves("good")

    def behaves(self, variant: str, **more: str) -> None:
        make_licman(self.home, variant, **more)

    def activate(self, *licenses: DeclaredLicense, dry: bool = False, files: tuple[HomeFile, ...] = ()) -> Change:
        manager = open_manager(VENDOR, DEFAULT_HOME, root=str(self.root))
        return manager.activate(Activation(licenses or (LICENSE,), files=files), OfflineFiles({}), dry=dry)

    def refused(self, *licenses: DeclaredLicense) -> LicensingError:
        with pytest.raises(LicensingError) as refused:
            self.activate(*licenses)
        assert CODE not in str(refused.value) and "Traceback" not in str(refused.value)
        return refused.value

    @property
    def state(self) -> Path:
        return self.root / "var" / "lib" / "aims-licensing"

    def record(self, number: str = SERVER, action: str = "activate") -> Path:
        return self.state / "Attempts" / f"{stem(number)}.{action}"

    def activations(self) -> int:
        return sum(call.startswith("--nodelock-activate") for call in calls(self.home))

    def everything(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setattr(licman, "_GRACE", 0.3)
    monkeypatch.setattr(licman.Licman.__init__, "__defaults__", (3.0,))
    monkeypatch.setattr(site, "PAUSE", 0.05)
    monkeypatch.setattr(site.Site.__init__, "__defaults__", (1.0, lambda: "2026-11-21T19:20:22Z"))
    return Target(tmp_path / "host")


def test_the_documented_commands_are_run_word_for_word(target: Target) -> None:
    change = target.activate()
    assert calls(target.home) == [
        f"--nodelock-activate {SERVER} --type machine --activation-code {CODE} --add-license",
        f"--profile-add PROServer --license {SERVER}",
    ]
    (result,) = change.results
    assert (result.action, result.spends) == (Action.ACTIVATED, None)
    assert result.note is not None and "licman has added profile PROServer; no documented file" in result.note
    assert change.changed and change.after.held == {SERVER}


def test_a_second_call_runs_nothing(target: Target) -> None:
    target.activate()
    before = target.everything()
    change = target.activate()
    assert not change.changed and [result.action for result in change.results] == [Action.UNCHANGED]
    assert target.everything() == before and target.activations() == 1


def test_check_mode_foresees_it_and_runs_nothing(target: Target) -> None:
    before = target.everything()
    change = target.activate(dry=True)
    assert change.changed and change.after.held == {SERVER} and change.results[0].action is Action.ACTIVATED
    assert target.everything() == before and not target.state.exists()


@pytest.mark.parametrize("variant", ["failure with effect", "hang with effect", "late", "child holds the output"])
def test_a_nodelock_that_came_is_an_activation_whatever_the_command_said(target: Target, variant: str) -> None:
    target.behaves(variant)
    change = target.activate()
    assert change.results[0].action is Action.ACTIVATED and change.after.held == {SERVER}
    assert not target.activate().changed and target.activations() == 1


@pytest.mark.parametrize(
    ("variant", "says"),
    [
        ("no effect", "ended with exit code 0; it printed: done"),
        ("failure", "ended with exit code 1; it printed: Cannot connect to license.aimms.com"),
        ("prompt", r"ended with exit code 9; it printed: Overwrite\? \[y/N\]"),
        ("hang", "did not end, and was stopped; it printed: waiting"),
        ("hang that ignores signals", "did not end, and was stopped; it printed: waiting"),
        ("killed", "was killed by signal 9; it printed: nothing"),
        ("half-written", "ended with exit code 0; it printed: nothing"),
        ("another locale", "ended with exit code 5; it printed: in English"),
        ("latin-1", "it printed: Fehler: ung.ltiger Schl.ssel"),
        ("utf-16", "it printed: Error: …"),
        ("flood", "the end"),
    ],
)
def test_without_a_nodelock_the_run_stops_and_no_later_run_repeats_the_command(
    target: Target, variant: str, says: str
) -> None:
    target.behaves(variant)
    text = str(target.refused())
    assert re.search(
        f"Whether license {SERVER} was activated is not known: no nodelock has come. licman .*{says}", text
    )
    assert str(target.record()) in text and target.activations() == 1
    target.behaves("good")
    again = str(target.refused())
    assert again == text and target.activations() == 1
    with pytest.raises(LicensingError, match="is not known"):
        target.activate(dry=True)


def test_once_a_person_has_looked_and_removed_the_record_the_command_is_run_again(target: Target) -> None:
    target.behaves("failure")
    (command,) = re.findall(r"remove the record \((rm -f [^)]+)\)", str(target.refused()))
    target.behaves("good")
    subprocess.run(["/bin/sh", "-c", command], check=True)
    assert target.activate().results[0].action is Action.ACTIVATED
    assert target.activations() == 2


def test_a_nodelock_that_comes_later_ends_the_doubt(target: Target) -> None:
    target.behaves("hang")
    target.refused()
    activate(target.home, SERVER)
    change = target.activate()
    assert change.results[0].action is Action.ACTIVATED and target.activations() == 1
    assert not target.record().exists() and not target.activate().changed


@pytest.mark.parametrize(
    ("variant", "known"), [("kills its caller", True), ("kills its caller before the effect", False)]
)
def test_a_run_that_is_killed_meanwhile_is_known_by_its_record(target: Target, variant: str, known: bool) -> None:
    target.behaves(variant)
    command = [sys.executable, "-c", IN_A_CHILD, str(target.root), SERVER, CODE]
    done = subprocess.run(command, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert json.loads(target.record().read_text(encoding="utf-8"))["outcome"] is None
    time.sleep(0.5)
    target.behaves("good")
    if known:
        assert target.activate().results[0].action is Action.ACTIVATED
        assert calls(target.home)[-1] == f"--profile-add PROServer --license {SERVER}"
    else:
        assert "licman was started by a run that was cut off" in str(target.refused())
    assert target.activations() == 1


def test_a_profile_is_not_forgotten_where_the_run_ends_before_it_is_on_record(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):

        def plan(*arguments: object) -> None:
            raise KeyboardInterrupt

        patched.setattr(attempts.Attempts, "plan", plan)
        target.activate()
    assert target.activate().results[0].action is Action.ACTIVATED
    assert calls(target.home)[-1] == f"--profile-add PROServer --license {SERVER}" and target.activations() == 1


def test_no_activation_code_is_in_what_the_command_printed(target: Target) -> None:
    target.behaves("echoes the code")
    text = str(target.refused()) + target.record().read_text(encoding="utf-8")
    # Also what is broken into lines, or spaced.
    letters = re.sub(r"[\W_]", "", text).lower()
    for group in CODE.split("-"):
        assert group.lower() not in letters
    assert "wrong group …" in text
    assert not any(CODE.encode() in content for path, content in target.everything().items() if path.suffix != ".calls")


def test_what_the_command_leaves_behind_is_not_waited_for(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(licman.Licman.__init__, "__defaults__", (120.0,))
    target.behaves("child holds the output")
    began = time.monotonic()
    assert target.activate().results[0].action is Action.ACTIVATED
    assert time.monotonic() - began < 60


def test_a_known_message_is_explained(target: Target) -> None:
    target.behaves("academic")
    text = str(target.refused())
    assert "The message 'This license can only be activated using a personal nodelock' is known: This is an" in text
    assert "not for a server. Check the license number, and ask the vendor. Look in the license manager" in text


def test_of_several_licenses_those_that_were_activated_are_told(target: Target) -> None:
    target.activate(LICENSE)
    target.behaves("failure")
    assert "Before it" not in str(target.refused(LICENSE, OTHER))
    target.record(SESSION).unlink()
    (target.home / "Nodelocks" / f"{stem(SERVER)}.lock").unlink()
    make_licman(target.home, "good")
    script = (target.home / "Bin/licman").read_text(encoding="utf-8")
    failing = script.replace("license; lock; echo done", f'[ "$2" = {SERVER} ] || exit 1; license; lock')
    put(target.home, "Bin/licman", failing.encode())
    assert f"Before it, {SERVER} was activated by this call, and stays so." in str(target.refused(LICENSE, OTHER))


def test_whatever_stands_in_the_way_is_told_at_once_before_anything_runs(target: Target) -> None:
    put(target.home, f"Config/{stem(SERVER)}.request")
    put(target.home, f"Nodelocks/{stem(SESSION)}.lock", b"")
    personal = DeclaredLicense(CLIENT, None, nodelock="personal")
    text = str(target.refused(LICENSE, OTHER, personal))
    assert f"An offline exchange of license {SERVER} is pending" in text
    assert f"The nodelock of license {SESSION} is half-written" in text
    assert f"License {CLIENT} is declared with a personal nodelock" in text
    assert f"The activation code of license {CLIENT} is missing" in text
    assert calls(target.home) == []


def test_a_licman_that_runs_already_is_waited_for_by_nobody(target: Target) -> None:
    target.behaves("hang")
    arguments = ["--nodelock-activate", SERVER, "--type", "machine", "--activation-code", CODE, "--add-license"]
    running = subprocess.Popen([target.home / "Bin/licman", *arguments], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert running.stdout is not None and running.stdout.readline() == b"waiting\n"
        # The shell may have made its child already.
        assert re.search(rf"licman runs already \(process {running.pid}[,)]", str(target.refused()))
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        running.stdout.close()


def test_where_no_license_server_is_installed_there_is_no_command(target: Target) -> None:
    (target.home / "Bin/licman").unlink()
    assert "there is no licman" in str(target.refused())


def test_a_command_that_cannot_be_run_says_so(target: Target) -> None:
    put(target.home, "Bin/licman", b"no program").chmod(0o644)
    assert "licman cannot be run: Permission denied" in str(target.refused())


def test_a_profile_that_cannot_be_added_stops_the_run_and_is_not_added_twice(target: Target) -> None:
    target.behaves("good", profile="echo 'no such profile' >&2; exit 3")
    text = str(target.refused())
    assert f"Whether profile PROServer was added for license {SERVER} is not known." in text
    assert "ended with exit code 3; it printed: no such profile" in text
    assert str(target.refused()) == text and len(calls(target.home)) == 2
    (command,) = re.findall(r"remove the record \((rm -f [^)]+)\)", text)
    subprocess.run(["/bin/sh", "-c", command], check=True)
    change = target.activate()
    assert not change.changed and change.results[0].note is not None
    assert "look in the license manager" in change.results[0].note


def test_files_that_move_are_put_where_they_are_missing(target: Target) -> None:
    put(target.home, "Licenses/a.cpx", b"here")
    (target.home / "Licenses").rename(target.root / "data")
    (target.home / "Licenses").symlink_to(target.root / "data")
    files = (
        HomeFile("Licenses/a.cpx", 0o644, False, b"there"),
        HomeFile("Licenses/b.cpx", 0o644, False, b"b"),
        HomeFile("ApplicationKeys/k.key", 0o600, True, b"key"),
        HomeFile("Config/settings.cfg", 0o644, False, b"never"),
    )
    assert set(target.activate(dry=True, files=files).after.files) >= {"Licenses/b.cpx", "ApplicationKeys/k.key"}
    target.activate(files=files)
    assert (target.home / "Licenses/a.cpx").read_bytes() == b"here"
    assert (target.root / "data/b.cpx").read_bytes() == b"b"
    key = target.home / "ApplicationKeys/k.key"
    assert key.read_bytes() == b"key" and key.stat().st_mode & 0o777 == 0o600
    assert not (target.home / "Config/settings.cfg").exists()


def test_our_record_is_ours_alone_and_outside_of_the_vendors_folder(target: Target) -> None:
    target.activate()
    for path in [target.state, *target.state.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
    assert not any("aims" in path.name for path in target.home.rglob("*"))
    assert attempts.STATE == "/var/lib/aims-licensing"


def test_a_damaged_record_stops_the_run(target: Target) -> None:
    target.behaves("failure")
    target.refused()
    target.record().write_text("{", encoding="utf-8")
    assert "The record of an attempt is damaged" in str(target.refused())
    assert target.activations() == 1


def test_a_missing_code_is_given_and_an_unknown_home_named(target: Target, tmp_path: Path) -> None:
    assert "Give the code with the license (activation_code, codes_from)." in str(
        target.refused(DeclaredLicense(SERVER, None))
    )
    target.home.rename(target.root / "aimms")
    assert "Install it by the vendor's package first, or name its folder (aims_license_server_home)." in str(
        target.refused()
    )
    manager = open_manager(VENDOR, "/aimms", root=str(target.root))
    assert manager.activate(Activation([LICENSE]), OfflineFiles({})).after.held == {SERVER}


def test_a_license_whose_profile_is_to_stay_gets_none(target: Target) -> None:
    manager = open_manager(VENDOR, DEFAULT_HOME, root=str(target.root))
    change = manager.activate(Activation([LICENSE], keep_profiles=True), OfflineFiles({}))
    assert change.results[0].note is None and [call.split()[0] for call in calls(target.home)] == [
        "--nodelock-activate"
    ]
