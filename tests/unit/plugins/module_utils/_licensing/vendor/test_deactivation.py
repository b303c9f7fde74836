# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Licenses are deactivated by the command that an operator names: once each, and by what their nodelocks show."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.drain import DrainOptions
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Deactivation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.results import Action
from support.vendor_host import CODE, OFFLINE, VendorHost, hurry
from support.vendor_licman import HELPS, calls
from support.vendor_tree import CLIENT, NUMBERS, SERVER, SESSION, activate, put, stem

IN_A_CHILD = """
import sys
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import OfflineFiles
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager import factory
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Deactivation
root, number = sys.argv[1:]
named = {"deactivate": ["licman", "--give-back", "{number}"]}
manager = factory.open_manager("vendor", factory.DEFAULT_HOME, root=root, vendor_commands=named)
manager.deactivate(Deactivation([number]), OfflineFiles({}))
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VendorHost:
    hurry(monkeypatch)
    return VendorHost(tmp_path / "host")


def test_the_named_command_is_run_as_it_is_named_and_the_license_is_given_back(source: VendorHost) -> None:
    change = source.deactivate()
    assert calls(source.home) == ["--help", f"--give-back {SERVER}"]
    (result,) = change.results
    assert (result.action, result.spends, result.fenced_since) == (Action.DEACTIVATED, 0, "2026-11-21T19:20:22Z")
    assert change.changed and change.after.held == set(NUMBERS) - {SERVER} == source.held
    view = change.after.license(SERVER)
    assert view is not None and view.is_given_back and view.status is Status.INACTIVE
    assert not source.record().exists()


def test_a_second_call_runs_nothing(source: VendorHost) -> None:
    source.deactivate()
    before, change = source.everything(), source.deactivate()
    assert not change.changed and [result.action for result in change.results] == [Action.UNCHANGED]
    assert change.results[0].fenced_since == "2026-11-21T19:20:22Z"
    assert source.everything() == before and len(calls(source.home)) == 2


@pytest.mark.parametrize("variant", ["good", "lock stays"])
def test_check_mode_foresees_it_and_changes_nothing(source: VendorHost, variant: str) -> None:
    source.behaves(deactivate=variant)
    before = source.everything()
    foreseen = source.deactivate(*NUMBERS, dry=True)
    assert source.everything() == before and not source.state.exists() and calls(source.home) == ["--help"]
    done = source.deactivate(*NUMBERS)
    assert (foreseen.before, foreseen.after) == (done.before, done.after)


def test_a_nodelock_that_stays_changed_is_not_shown_as_active(source: VendorHost) -> None:
    source.behaves(deactivate="lock stays")
    change = source.deactivate()
    assert change.results[0].note == "its nodelock file has changed, and is still there"
    assert (source.home / f"Nodelocks/{stem(SERVER)}.lock").exists()
    view = source.manager().overview().license(SERVER)
    assert view is not None and view.is_given_back and view.protection == "None" and view.fenced
    assert not source.deactivate().changed and source.runs() == 1
    # Another nodelock came with a later activation.
    activate(source.home, SERVER, 2)
    assert SERVER in source.held


def test_a_license_whose_nodelock_stayed_is_activated_again_by_the_documented_command(source: VendorHost) -> None:
    source.behaves(deactivate="lock stays")
    source.deactivate()
    assert source.activate().results[0].action is Action.ACTIVATED
    assert source.runs("--nodelock-activate") == 1 and source.held == set(NUMBERS)
    assert not source.activate().changed
    source.bundled = source.nodelocks()
    assert source.deactivate().changed and source.runs() == 2


@pytest.mark.parametrize(
    "variant",
    ["failure with effect", "hang with effect", "killed with effect", "late", "child holds the output", "lock stays"],
)
def test_a_nodelock_that_changed_is_a_deactivation_whatever_the_command_said(source: VendorHost, variant: str) -> None:
    source.behaves(deactivate=variant)
    change = source.deactivate()
    assert change.results[0].action is Action.DEACTIVATED and SERVER not in change.after.held
    assert not source.deactivate().changed and source.runs() == 1 and source.has_lost_nothing()


@pytest.mark.parametrize(
    ("variant", "says"),
    [
        ("no effect", "ended with exit code 0; it printed: done"),
        ("failure", "ended with exit code 1; it printed: Cannot connect to license.aimms.com"),
        ("prompt", r"ended with exit code 9; it printed: Sure\? \[y/N\]"),
        ("hang", "did not end, and was stopped; it printed: waiting"),
        ("hang that ignores signals", "did not end, and was stopped; it printed: waiting"),
        ("killed", "was killed by signal 9; it printed: nothing"),
        ("half-written", "ended with exit code 0; it printed: nothing"),
        ("another locale", "ended with exit code 5; it printed: in English"),
        ("latin-1", "it printed: Fehler: ung.ltiger Schl.ssel"),
        ("utf-16", "it printed: Error: …"),
    ],
)
def test_without_evidence_the_run_stops_and_no_later_run_repeats_the_command(
    source: VendorHost, variant: str, says: str
) -> None:
    source.takes_the_code()
    source.behaves(deactivate=variant)
    text = str(source.refused(source.deactivate))
    assert re.search(f"Whether license {SERVER} was deactivated is not known: .*licman .*{says}", text)
    assert str(source.record()) in text and source.runs() == 1 and source.has_lost_nothing()
    source.behaves()
    assert str(source.refused(source.deactivate)) == text and source.runs() == 1
    assert str(source.refused(lambda: source.deactivate(dry=True))) == text
    assert text in [str(problem) for problem in source.manager().obstacles()]
    # Only what a person saw decides; until then it is not activated either.
    assert "The deactivation of license" in str(source.refused(source.activate))


def test_once_a_person_has_seen_that_it_is_active_the_command_is_run_again(source: VendorHost) -> None:
    source.behaves(deactivate="failure")
    (command,) = re.findall(r"remove the record \((rm -f [^)]+)\)", str(source.refused(source.deactivate)))
    source.behaves()
    subprocess.run(["/bin/sh", "-c", command], check=True)
    assert source.deactivate().results[0].action is Action.DEACTIVATED and source.runs() == 2


def test_once_a_person_has_seen_that_it_was_given_back_it_counts_as_that(source: VendorHost) -> None:
    source.behaves(deactivate="failure")
    (command,) = re.findall(r"closed ones \((mv [^)]+)\)", str(source.refused(source.deactivate)))
    subprocess.run(["/bin/sh", "-c", command], check=True)
    assert source.held == set(NUMBERS) - {SERVER} and source.manager().obstacles() == []
    assert not source.deactivate().changed and source.runs() == 1


def test_a_nodelock_that_goes_later_ends_the_doubt(source: VendorHost) -> None:
    source.behaves(deactivate="hang")
    source.refused(source.deactivate)
    (source.home / f"Nodelocks/{stem(SERVER)}.lock").unlink()
    assert SERVER not in source.held and source.manager().obstacles() == []
    assert source.deactivate().results[0].action is Action.DEACTIVATED and source.runs() == 1
    assert not source.record().exists() and not source.deactivate().changed


@pytest.mark.parametrize(
    ("variant", "known"), [("kills its caller", True), ("kills its caller before the effect", False)]
)
def test_a_run_that_is_killed_meanwhile_is_known_by_its_record(source: VendorHost, variant: str, known: bool) -> None:
    source.behaves(deactivate=variant)
    command = [sys.executable, "-c", IN_A_CHILD, str(source.root), SERVER]
    done = subprocess.run(command, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert json.loads(source.record().read_text(encoding="utf-8"))["outcome"] is None
    time.sleep(0.5)
    source.behaves()
    assert (SERVER in source.held) is not known
    if known:
        assert source.deactivate().results[0].action is Action.DEACTIVATED
    else:
        assert "licman was started by a run that was cut off" in str(source.refused(source.deactivate))
    assert source.runs() == 1 and source.has_lost_nothing()


@pytest.mark.parametrize("help", ["good", "exit code", "on standard error", "utf-16", "long"])
def test_an_option_is_confirmed_by_the_help_however_it_is_printed(source: VendorHost, help: str) -> None:
    source.behaves(help=help)
    assert source.deactivate().changed


@pytest.mark.parametrize(
    ("help", "says"),
    [
        ("none", "licman --help prints nothing, so that the commands named for it cannot be confirmed"),
        ("hang", "licman --help does not end, so"),
        ("killed", "licman --help was killed by signal 9, so"),
        ("prompt", "licman --help does not name the option --give-back of the command for deactivate"),
        ("unknown", "licman --help does not name the option --give-back"),
        ("like it", "licman --help does not name the option --give-back"),
    ],
)
def test_without_the_help_nothing_moves(source: VendorHost, help: str, says: str) -> None:
    assert help in HELPS
    source.behaves(help=help)
    before = source.everything()
    for dry in (True, False):
        assert says in str(source.refused(lambda dry=dry: source.deactivate(dry=dry)))
    assert source.runs() == 0 and source.held == set(NUMBERS)
    assert {path: content for path, content in source.everything().items() if source.state not in path.parents} == {
        path: content for path, content in before.items() if source.state not in path.parents
    }
    # The plan says so before anything begins.
    assert says in "".join(str(problem) for problem in source.manager().obstacles())


def test_the_code_is_an_argument_only_where_it_is_named_and_is_shown_nowhere(source: VendorHost) -> None:
    source.takes_the_code()
    source.behaves(deactivate="echoes the code")
    text = str(source.refused(source.deactivate)) + source.record().read_text(encoding="utf-8")
    assert calls(source.home)[-1] == f"--give-back {SERVER} --activation-code {CODE}"
    letters = re.sub(r"[\W_]", "", text).lower()
    for group in CODE.split("-"):
        assert group.lower() not in letters
    assert "wrong group …" in text and not any(CODE.encode() in content for content in source.everything().values())
    source.record().unlink()
    assert "that of license 015.120.064.022 is missing" in str(source.refused(lambda: source.deactivate(codes=False)))


def test_a_nodelock_that_is_not_the_bundles_is_left_alone(source: VendorHost) -> None:
    activate(source.home, SERVER, 2)
    text = str(source.refused(source.deactivate))
    assert f"The nodelock of license {SERVER} is not the one of the bundle." in text and source.runs() == 0
    # As the message says: back up again.
    assert "back this host up (aims_license_backup), and use that bundle" in text
    source.bundled = source.nodelocks()
    assert source.deactivate().changed


def test_a_known_message_is_explained(source: VendorHost) -> None:
    source.behaves(deactivate="read-only")
    assert "Clear the read-only attribute of the .lock file in Nodelocks" in str(source.refused(source.deactivate))


def test_of_several_licenses_those_that_were_deactivated_are_told(source: VendorHost) -> None:
    script = (source.home / "Bin/licman").read_text(encoding="utf-8")
    failing = script.replace("    unlock; echo done", f'    [ "$2" != {SESSION} ] || exit 1; unlock')
    put(source.home, "Bin/licman", failing.encode())
    text = str(source.refused(lambda: source.deactivate(*NUMBERS)))
    assert f"Before it, {SERVER} was deactivated by this call, and stays so." in text
    assert source.held == {SESSION, CLIENT} and source.runs() == 2


def test_whatever_stands_in_the_way_is_told_at_once_before_anything_runs(source: VendorHost) -> None:
    put(source.home, f"Config/{stem(SERVER)}.request")
    put(source.home, f"Nodelocks/{stem(SESSION)}.lock", b"")
    text = str(source.refused(lambda: source.deactivate(*NUMBERS)))
    assert f"An offline exchange of license {SERVER} is pending" in text
    assert f"The nodelock of license {SESSION} is half-written" in text and source.runs() == 0


def test_a_license_without_a_nodelock_here_is_left_as_it_is(source: VendorHost) -> None:
    for kind in ("lock", "ver"):
        (source.home / f"Nodelocks/{stem(SERVER)}.{kind}").unlink()
    change = source.deactivate()
    assert not change.changed and change.results[0].note == "this host has no nodelock of it"
    assert calls(source.home) == []


def test_without_a_named_command_it_is_a_persons_step_and_the_way_to_name_one_is_told(source: VendorHost) -> None:
    command, source.named = source.named.pop("deactivate"), {}
    text = str(source.refused(source.deactivate))
    assert "this version deactivates no license: that is a person's step" in text
    assert "License > License Configuration... > Deactivate..." in text and calls(source.home) == []
    (name,) = re.findall(r"aims_license_server_vendor_commands, ([a-z_]+)", text)
    source.named[name] = command
    assert source.deactivate().changed


def test_once_the_commands_without_help_are_removed_the_step_is_a_persons(source: VendorHost) -> None:
    source.behaves(help="none")
    assert "Remove the commands (aims_license_server_vendor_commands)" in str(source.refused(source.deactivate))
    source.named = {}
    assert source.manager().obstacles() == []
    assert "that is a person's step" in str(source.refused(source.deactivate))


def test_nobody_is_waited_for(source: VendorHost) -> None:
    def drain() -> None:
        source.manager().deactivate(Deactivation([SERVER], DrainOptions(5.0, False)), OFFLINE)

    assert "waits for no seats in use" in str(source.refused(drain)) and calls(source.home) == []


def test_a_command_that_cannot_be_run_leaves_no_doubt(source: VendorHost) -> None:
    (source.home / "Bin/licman").chmod(0o644)
    assert "licman cannot be run: Permission denied" in str(source.refused(source.deactivate))
    source.behaves()
    assert source.deactivate().changed


def test_a_damaged_record_stops_the_run(source: VendorHost) -> None:
    source.behaves(deactivate="failure")
    source.refused(source.deactivate)
    source.record().write_text("{", encoding="utf-8")
    assert "The record of an attempt is damaged" in str(source.refused(source.deactivate)) and source.runs() == 1


def test_an_activation_in_doubt_keeps_its_license_from_being_deactivated(source: VendorHost) -> None:
    for kind in ("lock", "ver"):
        (source.home / f"Nodelocks/{stem(SERVER)}.{kind}").unlink()
    source.behaves("failure")
    source.refused(lambda: source.activate(DeclaredLicense(SERVER, CODE)))
    activate(source.home, SERVER, 2)
    source.bundled = source.nodelocks()
    text = str(source.refused(source.deactivate))
    assert "Activate it again (aims_license_activate) to bring it to an end." in text
    source.activate(DeclaredLicense(SERVER, CODE))
    assert source.deactivate().changed


def test_a_deactivation_that_is_not_over_is_brought_to_an_end_first(source: VendorHost) -> None:
    source.behaves(deactivate="hang")
    source.refused(source.deactivate)
    put(source.home, f"Nodelocks/{stem(SERVER)}.lock", b"given back\n")
    text = str(source.refused(source.activate))
    assert "Deactivate it again (aims_license_deactivate) to bring it to an end." in text
    assert source.deactivate().changed and source.runs() == 1
    assert source.activate().results[0].action is Action.ACTIVATED


def test_a_command_is_corrected_as_the_messages_say(source: VendorHost) -> None:
    def say(command: object) -> str:
        source.named = command if isinstance(command, dict) else {"deactivate": command}
        return str(source.refused(source.deactivate))

    source.named = ["licman"]  # type: ignore[assignment]
    (written,) = re.findall(r"Write (\{.*\}), with", str(source.refused(source.deactivate)))
    assert "Name the option of licman that does this" in say(["licman", "{number}"])
    assert "Write options as licman --help does; a placeholder is an argument" in say(["licman", "--{number}"])
    text = say(["licman", "--nodelock-activate", "{number}"])
    assert "Name the option that licman --help has for this purpose." in text
    (command,) = re.findall(r"Read '([^']+)'", say(yaml.safe_load(written.replace("OPTION", "--deactivate"))))
    help_text = subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True, text=True).stdout
    (option,) = re.findall(r"(--give\S*)", help_text)
    source.named = yaml.safe_load(written.replace("OPTION", option))
    assert source.deactivate().changed
