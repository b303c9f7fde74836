# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that is a copy of another: the message says so, releases nothing, and its remedy ends it."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import fingerprint
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.release import release
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import new_machine_id
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation, Deactivation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.places import place_of
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    NUMBERS,
    SERVER,
    SESSION,
    LostReply,
    declared,
)
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.pair import Pair, commands, copy, execute, install


def released_in(text: str) -> bool:
    """Whether a message has a license released without asking whether another machine serves it."""
    asked = text.replace("If that machine is lost, only the authority's owner can release it.", "")
    return "release" in asked and "no other machine serves" not in asked


def identity(host: object) -> str:
    return str((Path(host.root) / "etc/machine-id").read_text(encoding="utf-8"))  # type: ignore[attr-defined]


def test_a_home_that_was_copied_to_the_target_is_put_away_and_the_source_stays_as_it_is(pair: Pair) -> None:
    shutil.rmtree(pair.new.folder)
    copy(pair.old, pair.new)
    before = pair.old.files()
    text = pair.told()
    assert f"The home on new is a copy of that on old, which holds {', '.join(sorted(NUMBERS))}" in text
    assert not released_in(text) and pair.old.files() == before
    execute(commands(text, "mv "))
    pair.new.home.create()
    pair.run()
    assert pair.holds(pair.new) and pair.spent() == [1, 1, 1]
    assert pair.old.home.home_id != pair.new.home.home_id
    assert pair.old.read("Config/host.key") != pair.new.read("Config/host.key")


def test_a_copied_home_is_noted_where_nothing_is_to_move(pair: Pair) -> None:
    copy(pair.old, pair.new)
    text = pair.run(back=True)
    assert "Note: The home on new is a copy of that on old" in text and "Nothing is left to do." in text
    execute(commands(text, "mv "))
    pair.new.home.create()
    assert "copy" not in pair.run(back=True)


def test_a_copy_of_the_target_that_was_made_after_the_migration(pair: Pair) -> None:
    pair.run()
    shutil.rmtree(pair.old.folder)
    copy(pair.new, pair.old)
    assert "Note: The home on old is a copy of that on new" in pair.run()
    text = pair.told(back=True)
    assert "The home on old is a copy of that on new" in text and not released_in(text)
    execute(commands(text, "mv "))
    pair.old.home.create()
    pair.run(back=True)
    assert pair.holds(pair.old) and pair.spent() == [2, 2, 2]


def test_a_copy_that_is_older_than_what_the_source_has(pair: Pair) -> None:
    copy(pair.old, pair.new)
    pair.lab.deactivate(pair.old)
    pair.lab.activate(pair.old)
    text = pair.told()
    assert "The home on new is a copy of that on old" in text and not released_in(text)


@pytest.mark.parametrize("online", [True, False], ids=["online", "offline"])
@pytest.mark.parametrize("parts", [("Licenses", "Nodelocks"), ("Licenses", "Nodelocks", "Config")])
def test_nodelocks_that_were_copied_into_a_home_of_its_own(pair: Pair, parts: tuple[str, ...], online: bool) -> None:
    install(pair.lab, pair.new)
    copy(pair.old, pair.new, *parts)
    text = pair.told(online=online)
    assert f"The nodelock of license {SERVER} on new is another machine's; old holds the license." in text
    assert "private key" not in text and not released_in(text)
    execute(commands(text, "rm -f "))
    pair.run()
    assert pair.holds(pair.new) and pair.spent() == [1, 1, 1]


def test_a_home_that_another_machine_restored_from_a_bundle_beside_licenses_of_its_own(pair: Pair) -> None:
    pair.lab.deactivate(pair.old, CLIENT)
    pair.lab.activate(pair.new, CLIENT)
    copy(pair.old, pair.new, "Licenses", "Nodelocks")
    text = pair.told(SERVER)
    assert f"The nodelock of license {SERVER} on new is another machine's" in text and not released_in(text)
    execute(commands(text, "rm -f "))
    pair.run(SERVER)
    assert pair.holds(pair.new, SERVER, CLIENT)


def test_the_private_key_alone_of_another_host(pair: Pair) -> None:
    copy(pair.old, pair.new, "Config/host.key")
    pair.run()
    assert pair.holds(pair.new) and pair.spent() == [1, 1, 1]
    # By the key alone nothing is given back that the target holds.
    with pytest.raises(LicensingError):
        pair.lab.deactivate(pair.old, SERVER, CLIENT, "015.120.099.099")
    assert pair.holds(pair.new)


def test_a_copy_with_pending_requests(pair: Pair) -> None:
    pair.lab.deactivate(pair.old)
    with pytest.raises(ConnectionResetError):
        pair.old.manager.activate(Activation(declared(SERVER)), LostReply(pair.lab.realm, pair.lab.desk().answer))
    copy(pair.old, pair.new, "Journal")
    text = pair.told(SERVER)
    assert f"The pending request for license {SERVER} on new is a copy of that on old." in text
    assert not released_in(text)
    execute(commands(text, "rm -f "))
    pair.lab.activate(pair.old, SERVER)
    pair.run(SERVER)
    assert pair.holds(pair.new, SERVER)


def test_a_copied_home_with_a_pending_deactivation(pair: Pair) -> None:
    with pytest.raises(ConnectionResetError):
        pair.old.manager.deactivate(Deactivation([SERVER]), LostReply(pair.lab.realm, pair.lab.desk().answer))
    shutil.rmtree(pair.new.folder)
    copy(pair.old, pair.new)
    text = pair.told()
    assert "The home on new is a copy of that on old" in text and not released_in(text)
    execute(commands(text, "mv "))
    pair.new.home.create()
    pair.run()
    assert pair.holds(pair.new) and pair.spent() == [1, 1, 1]


def test_a_home_that_was_moved_and_its_source_is_gone(pair: Pair) -> None:
    shutil.rmtree(pair.new.folder)
    pair.old.folder.rename(pair.new.folder)
    text = pair.told()
    assert "another machine than" in text and not released_in(text)
    # What moved it moves it back.
    pair.new.folder.rename(pair.old.folder)
    pair.new.home.create()
    pair.run()
    assert pair.holds(pair.new) and pair.spent() == [1, 1, 1]


def test_what_a_third_machine_holds_is_not_released(pair: Pair) -> None:
    third = pair.lab.host("third", "3" * 31 + "c")
    copy(pair.old, pair.new, "Licenses", "Nodelocks", "Config")
    pair.lab.deactivate(pair.old)
    pair.lab.activate(third)
    text = pair.told()
    assert f"License {SERVER} is live on another machine." in text and not released_in(text)
    pair.lab.check_one_holder(pair.old, third)


def test_a_host_alone_tells_both_causes_and_releases_nothing_that_is_served(pair: Pair) -> None:
    copy(pair.old, pair.new)
    for channel in (pair.lab.channel(), pair.lab.offline()):
        with pytest.raises(LicensingError) as refused:
            pair.new.manager.activate(Activation(declared(SERVER), realm=pair.lab.realm), channel)
        text = str(refused.value)
        assert "If the home was copied here" in text and "Undo the change" in text and not released_in(text)
    with pytest.raises(LicensingError) as refused:
        pair.new.manager.deactivate(Deactivation([SERVER]), pair.lab.channel())
    assert commands(str(refused.value), "mv ") == commands(text, "mv ")
    execute(commands(text, "mv "))
    pair.new.home.create()
    pair.run()
    assert pair.holds(pair.new) and pair.spent() == [1, 1, 1]


def test_a_machine_that_changed_and_stays_so_is_released_as_the_message_says(pair: Pair) -> None:
    pair.old.set_machine_id("4" * 31 + "d")
    text = pair.told(SERVER)
    assert "have the authority's owner release the license" in text
    release(pair.lab.ledger, SERVER, "the board was replaced", pair.lab.clock())
    pair.run(SERVER)
    assert pair.holds(pair.new, SERVER)


def clone(source: object, target: object) -> None:
    root, other = (Path(host.root) for host in (source, target))  # type: ignore[attr-defined]
    shutil.copy2(root / "etc/machine-id", other / "etc/machine-id")


@pytest.mark.parametrize("dbus", ["absent", "file", "link"])
@pytest.mark.parametrize("home", [True, False], ids=["home too", "machine only"])
def test_a_machine_that_was_cloned_gets_an_identity_of_its_own(pair: Pair, home: bool, dbus: str) -> None:
    clone(pair.old, pair.new)
    if home:
        shutil.rmtree(pair.new.folder)
        copy(pair.old, pair.new)
    of_dbus = pair.new.root / "var/lib/dbus/machine-id"
    of_dbus.parent.mkdir(parents=True)
    if dbus == "file":
        shutil.copy2(pair.new.root / "etc/machine-id", of_dbus)
    elif dbus == "link":
        of_dbus.symlink_to("/etc/machine-id")
    here, before = identity(pair.old), pair.old.files()
    text = pair.told()
    assert "old and new have the same machine-id" in text and not released_in(text)
    assert "got it later" not in text
    execute([text.partition("as root: ")[2].partition("; then run")[0]])
    assert identity(pair.new) != identity(pair.old) == here and pair.old.files() == before
    assert (pair.new.root / "etc/machine-id").stat().st_mode & 0o777 == 0o444
    pair.new.home.create()
    pair.run()
    assert pair.holds(pair.new) and pair.spent() == [1, 1, 1]


def test_by_a_rollback_the_source_that_serves_keeps_its_identity(pair: Pair) -> None:
    clone(pair.old, pair.new)
    copy(pair.old, pair.new)
    text = pair.told(back=True)
    assert "On new, as root: " in text and "If old was made from new, do so on old instead" in text
    execute([text.partition("as root: ")[2].partition("; then run")[0]])
    pair.new.home.create()
    assert "Nothing is left to do." in pair.run(back=True)
    assert pair.holds(pair.old) and pair.spent() == [0, 0, 0]


def test_where_the_source_is_the_copy_the_other_command_ends_it_too(pair: Pair) -> None:
    pair.run()
    shutil.rmtree(pair.old.folder)
    clone(pair.new, pair.old)
    copy(pair.new, pair.old)
    text = pair.told(back=True)
    execute([text.partition("do so on old instead: ")[2]])
    pair.old.home.create()
    assert "Nothing is left to do." in pair.run()
    assert pair.holds(pair.new) and pair.spent() == [1, 1, 1]


def test_what_a_clone_got_later_is_given_back_and_takes_no_identity_from_the_source(pair: Pair) -> None:
    clone(pair.old, pair.new)
    copy(pair.old, pair.new)
    install(pair.lab, pair.new)
    pair.lab.deactivate(pair.new, SERVER)
    pair.lab.activate(pair.new, SERVER)
    here = identity(pair.old)
    text = pair.told()
    assert f"licman --nodelock-deactivate {SERVER} && rm" in text and CLIENT not in text.partition("; then run")[0]
    execute([text.partition("as root: ")[2].partition("; then run")[0]])
    pair.new.home.create()
    assert f"License {SERVER} is served on old, but held by nobody" in pair.run()
    assert pair.holds(pair.new) and pair.spent() == [1, 1, 1] and identity(pair.old) == here


def test_what_a_clone_has_for_itself_is_given_back_before_its_identity_changes(pair: Pair) -> None:
    pair.lab.deactivate(pair.old, CLIENT)
    clone(pair.old, pair.new)
    install(pair.lab, pair.new)
    pair.lab.activate(pair.new, CLIENT)
    text = pair.told(SERVER, SESSION)
    assert "On new, as root: " in text and f"licman --nodelock-deactivate {CLIENT} && rm" in text
    execute([text.partition("as root: ")[2].partition("; then run")[0]])
    assert pair.new.statuses() == {CLIENT: "Inactive Nodelock"}
    pair.run()
    assert pair.holds(pair.new) and pair.spent() == [1, 1, 1]


def test_parts_of_a_home_without_its_marker(pair: Pair) -> None:
    shutil.rmtree(pair.new.folder)
    pair.new.folder.mkdir(parents=True)
    copy(pair.old, pair.new, "Licenses", "Nodelocks")
    text = pair.told()
    assert "it has files but not our marker" in text and "were copied here" in text
    execute(commands(text, "mv "))
    pair.new.home.create()
    pair.run()
    assert pair.holds(pair.new)


def _hardware(monkeypatch: pytest.MonkeyPatch, roots: dict[str, dict[str, str]]) -> Callable[[str], dict[str, str]]:
    """Let hosts have hardware beside the machine-id."""
    read = fingerprint.read_fingerprint

    def reading(root: str = "") -> dict[str, str]:
        return {**read(root), **roots.get(root, {})}

    from ansible_collections.aims.licensing.plugins.module_utils._licensing.home import state
    from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager import bundled

    monkeypatch.setattr(state, "read_fingerprint", reading)
    monkeypatch.setattr(bundled, "read_fingerprint", reading)
    return reading


def test_a_clone_on_other_hardware_is_told_by_it_from_the_original(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.lab.deactivate(pair.old)
    _hardware(
        monkeypatch,
        {
            str(host.root): {"product-uuid": mark * 32, "board-serial": mark * 32, "root-disk": mark * 32}
            for host, mark in ((pair.old, "a"), (pair.new, "b"))
        },
    )
    pair.lab.activate(pair.old)
    clone(pair.old, pair.new)
    copy(pair.old, pair.new)
    text = pair.told()
    assert "On new, as root: " in text and "instead" not in text
    execute([text.partition("as root: ")[2].partition("; then run")[0]])
    pair.new.home.create()
    pair.run()
    assert pair.holds(pair.new) and pair.spent() == [1, 1, 1]


def test_two_names_of_one_machine_are_no_clone(pair: Pair) -> None:
    pair.new = pair.old
    before = pair.old.files()
    for back in (False, True):
        text = pair.told(back=back)
        assert "are one machine: both names lead to the same machine-id" in text
        assert "rm " not in text and "mv " not in text and pair.old.files() == before


def test_one_folder_that_two_machines_have_mounted_is_no_copy(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.aims.licensing.plugins.module_utils._licensing import places

    mounts = pair.lab.folder / "mounts"
    device = pair.old.folder.stat().st_dev
    mounts.write_text(f"36 35 {device >> 8}:{device & 255} / /srv rw - nfs4 nas:/srv rw\n", encoding="utf-8")
    monkeypatch.setattr(places, "_MOUNTS", mounts)
    shutil.rmtree(pair.new.folder)
    pair.old.folder.rename(pair.lab.folder / "shared")
    for host in (pair.old, pair.new):
        host.folder.symlink_to(pair.lab.folder / "shared")
    looks = [{"places": {"home": place_of(host.folder)}} for host in (pair.old, pair.new)]
    assert looks[0] == looks[1]


def test_where_a_file_lies_tells_a_copy_from_another_name(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("x", encoding="utf-8")
    shutil.copy2(tmp_path / "one", tmp_path / "copy")
    (tmp_path / "name").symlink_to("one")
    assert place_of(tmp_path / "one") == place_of(tmp_path / "name") != place_of(tmp_path / "copy")
    assert place_of(tmp_path / "none") is None


@pytest.mark.parametrize("content", [None, "", "uninitialized\n", "0" * 32, "link out", "circle"])
def test_a_machine_id_that_is_none_is_made_by_the_command_of_its_message(tmp_path: Path, content: str | None) -> None:
    root = tmp_path / "a root's"
    (root / "etc").mkdir(parents=True)
    (tmp_path / "other").write_text(secrets.token_hex(16), encoding="utf-8")
    there = (tmp_path / "other").read_bytes()
    if content in ("link out", "circle"):
        (root / "etc/machine-id").symlink_to(tmp_path / "other" if content == "link out" else "machine-id")
    elif content is not None:
        (root / "etc/machine-id").write_text(content, encoding="utf-8")
    with pytest.raises(LicensingError) as refused:
        fingerprint.read_fingerprint(str(root))
    execute([refused.value.problems[0].todo.partition("as root: ")[2]])
    assert fingerprint.read_fingerprint(str(root)) and (tmp_path / "other").read_bytes() == there
    assert new_machine_id() != new_machine_id(str(root))
