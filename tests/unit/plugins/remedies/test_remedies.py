# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each remedy that a message prints is done as it is printed, in the situation that prints it, and ends that.

Those of copies: test_copies.py. Which message has its remedy done by which test: registry.yml.
"""

from __future__ import annotations

import base64
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.issue import changed_license
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.install import remove
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Activation,
    Deactivation,
    ProfileChange,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import RequestFolder
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair_status import LOST_RESPONSE
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    NUMBERS,
    SERVER,
    CoreLab,
    declared,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.test_install import put
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.pair import Pair, commands, execute, ledger_of


def test_a_license_that_ran_out_is_fetched_by_the_command_once_it_is_renewed(at_hand: Pair) -> None:
    pair = at_hand
    pair.run()
    ends = pair.lab.license(SERVER, expiry="2026-01-01")
    with pair.lab.ledger.change():
        pair.lab.ledger.put_license(ends, pair.lab.clock(), "reissue")
    pair.new.manager.update([SERVER], pair.lab.channel())
    pair.lab.clock.forward(days=2)
    (limit,) = pair.plan().limits
    assert f"License {SERVER} is not served on new" in limit
    with pair.lab.ledger.change():
        renewed = changed_license(ends, expiry="2099-12-31")
        pair.lab.ledger.put_license(renewed, pair.lab.clock(), "reissue")
    execute(commands(limit, "licman --nodelock-update"))
    assert pair.plan().limits == () and pair.holds(pair.new)


def test_a_pending_update_is_finished_by_the_command(at_hand: Pair) -> None:
    pair = at_hand
    pair.run()
    pair.new.manager.update([SERVER], pair.lab.offline())
    (limit,) = pair.plan().limits
    assert "its update is pending" in limit
    execute(commands(limit, "licman --nodelock-update"))
    assert pair.plan().limits == () and pair.holds(pair.new)


def test_request_files_are_processed_by_the_command_of_the_next_step(at_hand: Pair) -> None:
    pair = at_hand
    folder = RequestFolder(pair.lab.folder / "offline")
    change = pair.old.manager.deactivate(Deactivation(list(NUMBERS)), pair.lab.offline())
    text = folder.take(change.requests, list(NUMBERS))
    assert text
    (command,) = re.findall(r"'(authority process .*?)'", text)
    (asked,) = re.findall(r"'(authority status .*?)'", LOST_RESPONSE)
    for number in NUMBERS:
        file = str(pair.lab.folder / "offline" / number.replace(".", ""))
        for step in (asked, command, asked):
            execute([ledger_of(pair, step).replace("FILE", file)])
    responses = {
        response["number"]: base64.b64decode(response["content"]) for response in folder.responses(list(NUMBERS))
    }
    pair.old.manager.deactivate(Deactivation(list(NUMBERS)), pair.lab.offline(responses))
    pair.run()
    assert pair.holds(pair.new)


def test_a_pending_activation_of_another_machine_is_forgotten_or_its_copied_home_put_away(pair: Pair) -> None:
    pair.lab.deactivate(pair.old)
    pair.new.manager.activate(Activation(declared(SERVER), realm=pair.lab.realm), pair.lab.offline())
    pair.new.set_machine_id("5" * 31 + "e")
    text = pair.told(SERVER)
    assert f"The pending activation of license {SERVER} was made on another machine" in text
    backup = pair.lab.folder / "kept"
    shutil.copytree(pair.new.folder, backup)
    for begin in ("rm -f ", "mv "):
        execute([command for command in commands(text, begin) if command.startswith(begin)][:1])
        pair.new.home.create()
        pair.run(SERVER)
        assert pair.holds(pair.new, SERVER)
        pair.lab.deactivate(pair.new, SERVER)
        shutil.rmtree(pair.new.folder)
        shutil.copytree(backup, pair.new.folder)


def test_a_request_for_another_realm_is_finished_at_its_own(pair: Pair, tmp_path: Path) -> None:
    pair.lab.deactivate(pair.old)
    pair.new.manager.activate(Activation(declared(SERVER), realm=pair.lab.realm), pair.lab.offline())
    (tmp_path / "other").mkdir()
    other = CoreLab(tmp_path / "other", CoreLab.new_ledger(tmp_path / "other"))
    config = pair.new.home.config()
    pair.new.home.save(replace(config, realm=other.realm))
    with pytest.raises(LicensingError, match="Set aims_license_server_authority back to the authority it was made for"):
        pair.new.manager.activate(Activation(declared(SERVER)), other.channel())
    pair.new.home.save(config)
    pair.run(SERVER)
    assert pair.holds(pair.new, SERVER)
    other.close()


def test_a_package_is_removed_once_the_licenses_that_the_message_lists_are_deactivated(pair: Pair) -> None:
    put(pair.old)
    with pytest.raises(LicensingError) as refused:
        remove(pair.old.home)
    assert "Deactivate them first (aims_license_deactivate)." in str(refused.value)
    (numbers,) = re.findall(r"active or pending here: ([\d., ]+)\. \[", str(refused.value))
    pair.old.manager.deactivate(Deactivation(numbers.split(", ")), pair.lab.channel())
    assert remove(pair.old.home).changes


def test_a_profile_is_added_once_the_license_that_the_message_names_is_activated(pair: Pair) -> None:
    pair.lab.deactivate(pair.old)
    profile = Profile("Another", SERVER)
    with pytest.raises(LicensingError) as refused:
        pair.new.manager.set_profiles(ProfileChange([profile]))
    assert "Install the license first (aims_license_activate), or name one that is." in str(refused.value)
    (number,) = re.findall(r"names license (\S+), which", str(refused.value))
    pair.lab.activate(pair.new, number)
    assert pair.new.manager.set_profiles(ProfileChange([profile])).changed


def test_a_number_that_is_not_installed_is_corrected_by_what_the_module_lists(pair: Pair) -> None:
    with pytest.raises(LicensingError) as refused:
        pair.old.manager.deactivate(Deactivation(["015.120.099.099"]), pair.lab.channel())
    assert "Correct the number; aims_license_info lists the licenses that are here." in str(refused.value)
    listed = [license["number"] for license in pair.look("old", pair.old)["overview"]["licenses"]]
    pair.old.manager.deactivate(Deactivation(listed), pair.lab.channel())
    pair.run()
    assert pair.holds(pair.new)
