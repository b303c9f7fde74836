# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The remedies of a home that is damaged, copied or another user's are done as they are printed."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.release import release
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Deactivation, Maintenance
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import SERVER
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.test_install import put
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.pair import Pair, commands, copy, execute
from support.needs import needs_root

STEM = SERVER.replace(".", "")


@pytest.mark.parametrize("damage", ["missing", "another"])
def test_a_private_key_that_is_in_no_bundle(at_hand: Pair, damage: str) -> None:
    pair = at_hand
    key = pair.old.folder / "Config/host.key"
    kept = key.read_bytes()
    key.unlink()
    if damage == "another":
        pair.new.home.make_host_key()
        copy(pair.new, pair.old, "Config/host.key")
    text = pair.told()
    # The first way: back from the bundle.
    assert "Restore it from the newest bundle" in text
    now = key.read_bytes() if damage == "another" else None
    key.write_bytes(kept)
    pair.plan()
    # The second: there is none.
    key.unlink()
    if now is not None:
        key.write_bytes(now)
    text = pair.told()
    match = re.search(r"have the authority's owner release ([0-9., ]+), then let this host forget them \((.*?)\)", text)
    assert match
    for number in match[1].split(", "):
        release(pair.lab.ledger, number, "the key is lost", pair.lab.clock())
    execute([match[2]])
    pair.run()
    assert pair.holds(pair.new)


RESTORED = {
    "A nodelock has no license file.": (f"Licenses/{STEM}.lic", None),
    "The nodelock is missing; only its digests are left.": (f"Nodelocks/{STEM}.lock", None),
    "The nodelock or its license file is half-written, or was changed after the activation.": (
        f"Nodelocks/{STEM}.ver",
        b"{}",
    ),
    "The file is half-written or damaged.": ("Config/server.json", b"{"),
    "The file is damaged.": ("Config/server.json", b'{"fenced": 1}'),
    "The private key is damaged.": ("Config/host.key", b"-----BEGIN"),
    "The nodelock is damaged.": (f"Nodelocks/{STEM}.lock", b"signed, and not a nodelock"),
}


@pytest.mark.parametrize("what", RESTORED)
def test_what_is_damaged_in_a_home_is_restored_from_its_bundle(pair: Pair, what: str) -> None:
    name, content = RESTORED[what]
    bundle = pair.lab.folder / "bundle"
    shutil.copytree(pair.old.folder, bundle)
    place = pair.old.folder / name
    place.unlink()
    if content == b"signed, and not a nodelock":
        lock = json.loads((bundle / name).read_bytes())
        content = json.dumps({**lock, "body": {**lock["body"], "serial": "x"}}).encode()
        version = json.loads((bundle / f"Nodelocks/{STEM}.ver").read_bytes())
        (pair.old.folder / f"Nodelocks/{STEM}.ver").write_text(
            json.dumps({**version, "lock": documents.digest(content)}), encoding="utf-8"
        )
    if content is not None:
        place.write_bytes(content)
    text = pair.told()
    assert what in text
    match = re.search(r"\[(\S+)\] Restore (it|the file|[A-Z][\w/, ]+/) from the newest bundle", text)
    assert match
    named = (
        [match[1]]
        if match[2] in ("it", "the file")
        else [f"{pair.old.folder}/{name}" for name in re.split(", | and ", match[2])]
    )
    if what == "The nodelock is damaged.":
        # Its digests were changed with it, which the next run tells.
        shutil.copy2(bundle / f"Nodelocks/{STEM}.ver", pair.old.folder / f"Nodelocks/{STEM}.ver")
    for path in map(Path, named):
        stored = bundle / path.relative_to(pair.old.folder)
        if stored.is_dir():
            shutil.copytree(stored, path, dirs_exist_ok=True)
        else:
            shutil.copy2(stored, path)
    pair.run()
    assert pair.holds(pair.new) and pair.spent() == [1, 1, 1]


def test_a_journal_whose_request_is_for_another_license_is_restored_from_its_bundle(pair: Pair) -> None:
    pair.old.manager.deactivate(Deactivation([SERVER]), pair.lab.offline())
    bundle = pair.lab.folder / "bundle"
    shutil.copytree(pair.old.folder / "Journal", bundle)
    journal = pair.old.folder / "Journal"
    (journal / f"{STEM}.request").rename(journal / "015120099099.request")
    text = pair.told()
    (place,) = re.findall(
        r"The request is for license \S+ \[(.*?)/[^/]+\] Restore the journal from the newest bundle", text
    )
    shutil.rmtree(place)
    shutil.copytree(bundle, place)
    pair.run()
    assert pair.holds(pair.new)


def test_a_description_of_the_package_that_is_damaged_is_removed_and_the_package_installed(pair: Pair) -> None:
    place = pair.new.folder / "Bin/package.json"
    place.parent.mkdir(exist_ok=True)
    place.write_text('{"version": 1}', encoding="utf-8")
    text = pair.told()
    assert "The description of the installed package is damaged." in text and "Remove this file and install" in text
    (named,) = re.findall(r"\[(\S+package.json)\]", text)
    Path(named).unlink()
    put(pair.new)
    pair.run()
    assert pair.holds(pair.new)


@needs_root
def test_a_home_that_another_user_can_change_is_given_to_root_by_the_commands_of_the_message(pair: Pair) -> None:
    for path in (pair.new.folder, pair.new.folder.parent):
        os.chown(path, 65534, 65534)
        path.chmod(0o777)
    with pytest.raises(LicensingError) as refused:
        put(pair.new)
    for problem in refused.value.problems:
        (named,) = re.findall(r"Give it to root \((.*?)\)", problem.todo)
        execute([f"{command} {problem.where}" for command in named.split(", ")])
    put(pair.new)
    pair.run()
    assert pair.holds(pair.new)


def test_a_target_that_an_operator_has_closed_is_opened_by_the_command_of_the_message(at_hand: Pair) -> None:
    pair = at_hand
    pair.new.manager.set_maintenance(Maintenance(True))
    before = pair.old.files()
    text = pair.told()
    assert "new is in maintenance mode, which an operator has entered: it would not serve the licenses." in text
    assert pair.old.files() == before
    (command,) = commands(text, "licman ")
    execute([f"{pair.new.folder}/Bin/{command}"])
    pair.run()
    assert pair.holds(pair.new)
