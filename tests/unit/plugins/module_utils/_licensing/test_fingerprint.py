# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine is recognized by what it is made of, and a copy of it is told apart."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import fingerprint, hardware
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import (
    COMPONENTS,
    MACHINE_ID,
    compare,
    in_words,
    new_machine_id,
    read_fingerprint,
)

WHOLE = {name: f"{at:032x}" for at, name in enumerate(COMPONENTS)}
ID = "0123456789abcdef0123456789abcdef"


def changed(*components: str) -> dict[str, str]:
    return {name: "f" * 32 if name in components else value for name, value in WHOLE.items()}


def machine(root: Path, machine_id: str) -> str:
    (root / "etc").mkdir(parents=True)
    (root / "etc/machine-id").write_text(machine_id, encoding="utf-8")
    return str(root)


def test_a_machine_is_the_same_as_itself() -> None:
    assert compare(WHOLE, dict(WHOLE)).verdict == "same"
    assert compare(WHOLE, dict(WHOLE)).changed == ()


@pytest.mark.parametrize("component", COMPONENTS)
def test_one_changed_component_is_drift_and_is_named(component: str) -> None:
    found = compare(WHOLE, changed(component))
    assert (found.verdict, found.changed, found.is_same_machine) == ("drifted", (component,), True)


def test_two_changed_components_are_another_machine() -> None:
    found = compare(WHOLE, changed("product-uuid", MACHINE_ID))
    assert (found.verdict, found.is_same_machine) == ("other", False)
    assert set(found.changed) == {"product-uuid", MACHINE_ID}


def test_other_hardware_with_the_same_machine_id_is_a_clone() -> None:
    found = compare(WHOLE, changed(*[name for name in COMPONENTS if name != MACHINE_ID]))
    assert (found.verdict, found.is_same_machine) == ("cloned", False)


def test_the_machine_id_decides_alone_where_nothing_else_is_known() -> None:
    one, two = {MACHINE_ID: "a" * 32}, {MACHINE_ID: "b" * 32}
    assert compare(one, one).verdict == "same"
    assert compare(one, two).verdict == "other"
    assert compare(WHOLE, {MACHINE_ID: WHOLE[MACHINE_ID]}).verdict == "same"
    assert compare(WHOLE, two).verdict == "other"


def test_of_two_components_none_may_drift() -> None:
    both = {name: WHOLE[name] for name in (MACHINE_ID, "mac-addresses")}
    assert compare(both, {**both, "mac-addresses": "f" * 32}).verdict == "cloned"
    assert compare(both, {**both, MACHINE_ID: "f" * 32}).verdict == "other"


def test_machines_with_nothing_in_common_are_others() -> None:
    assert compare({}, {}).verdict == "other"
    assert compare({MACHINE_ID: "a" * 32}, {"root-disk": "a" * 32}).verdict == "other"


def test_the_verdict_is_the_same_from_both_sides() -> None:
    for other in (WHOLE, changed("root-disk"), changed("root-disk", "mac-addresses"), {}, {MACHINE_ID: "0" * 32}):
        assert compare(WHOLE, other) == compare(other, WHOLE)


def test_under_an_alternate_root_only_its_machine_id_counts(tmp_path: Path) -> None:
    found = read_fingerprint(machine(tmp_path / "a", f"{ID}\n"))
    assert list(found) == [MACHINE_ID]
    assert re.fullmatch("[0-9a-f]{32}", found[MACHINE_ID])
    assert ID not in found[MACHINE_ID]
    assert read_fingerprint(machine(tmp_path / "b", ID)) == found
    assert read_fingerprint(machine(tmp_path / "c", ID[::-1])) != found


def test_a_container_has_its_machine_id_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    host = Path("/etc/machine-id")
    monkeypatch.setenv("container", "podman")
    if host.exists() and re.fullmatch("[0-9a-f]{32}", host.read_text(encoding="utf-8").strip()):
        assert list(read_fingerprint()) == [MACHINE_ID]
    else:
        with pytest.raises(LicensingError, match="no valid machine-id"):
            read_fingerprint()


@pytest.mark.parametrize(
    "content", ["", "\n", "uninitialized\n", ID[:-1], ID + "0", ID.upper(), f"{ID}\n{ID}\n", "0" * 32, "\x00" * 32]
)
def test_an_invalid_machine_id_is_refused_with_the_command_that_makes_one(tmp_path: Path, content: str) -> None:
    with pytest.raises(LicensingError, match="no valid machine-id") as refused:
        read_fingerprint(machine(tmp_path, content))
    assert refused.value.problems[0].where == f"{tmp_path}/etc/machine-id"
    assert refused.value.problems[0].todo == f"Create a machine-id, as root: {new_machine_id(str(tmp_path))}"


def test_a_missing_machine_id_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LicensingError, match="no valid machine-id"):
        read_fingerprint(str(tmp_path))


@pytest.mark.parametrize("link", ["file", "directory"])
def test_a_link_does_not_lend_one_root_the_identity_of_another(tmp_path: Path, link: str) -> None:
    machine(tmp_path / "host", ID)
    (tmp_path / "root").mkdir()
    if link == "directory":
        (tmp_path / "root/etc").symlink_to(tmp_path / "host/etc")
    else:
        (tmp_path / "root/etc").mkdir()
        (tmp_path / "root/etc/machine-id").symlink_to(tmp_path / "host/etc/machine-id")
    with pytest.raises(LicensingError):
        read_fingerprint(str(tmp_path / "root"))


def test_links_in_a_circle_are_no_machine_id(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").symlink_to("machine-id")
    with pytest.raises(LicensingError, match="no valid machine-id"):
        read_fingerprint(str(tmp_path))


def test_a_link_within_the_root_is_its_own(tmp_path: Path) -> None:
    machine(tmp_path, ID)
    (tmp_path / "etc/machine-id").rename(tmp_path / "id")
    (tmp_path / "etc/machine-id").symlink_to("../id")
    assert list(read_fingerprint(str(tmp_path))) == [MACHINE_ID]


# What the code before normalization made of machines, kept as it was: nodelocks and ledgers hold such hashes.
UUID, SERIAL, MAC, DISK = "4c4c4544-0051-3510-8052-b4c04f4d3132", "PF1XYZ", "00:0d:3a:12:34:56", "9b1d-root"
SLAVE = "00:0d:3a:65:43:21"
FORMER = {
    "machine-id": "b2e12c9d72c6a75042cca513d09bd929",
    "product-uuid": "341152a6d1aca060051d9d0ad08a7447",
    "board-serial": "35c7f0a0fa06a9d7b40d40ec44be1119",
    "mac-addresses": "59f8e35262a76c80350d0740009128a4",
    "root-disk": "55cef8d184af15eba4ba04cd95f42d23",
}
FORMER_MAC_TWICE = "534e22edbc3031fb1d0c52823be8ae35"
FORMER_NA = "64034c058125f7250346068ccd5d2564"
FORMER_FS = "8be521ef4c30c997aeafc258cf2b87ca"
FORMER_BONDED = "534e22edbc3031fb1d0c52823be8ae35"


class Hardware:
    """A machine's ``/sys``, written by hand."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sys, self.disks = root / "sys", root / "by-uuid"
        for folder in (self.sys / "class/dmi/id", self.sys / "class/net", self.disks):
            folder.mkdir(parents=True)
        self.permanent: dict[str, str] = {}
        self.disk: str | None = DISK
        monkeypatch.setattr(hardware, "SYS", self.sys)
        monkeypatch.setattr(hardware, "_permanent", self.permanent.get)
        monkeypatch.setattr(hardware, "root_disk", lambda: hardware.Reading(self.disk))
        monkeypatch.setattr(fingerprint, "_in_container", lambda: False)
        monkeypatch.setattr(fingerprint, "_machine_id", lambda place: ID)
        self.dmi(UUID, SERIAL)
        self.card("eth0", MAC)

    def dmi(self, uuid: str, serial: str) -> None:
        (self.sys / "class/dmi/id/product_uuid").write_text(f"{uuid}\n", encoding="utf-8")
        (self.sys / "class/dmi/id/board_serial").write_text(f"{serial}\n", encoding="utf-8")

    def card(self, name: str, address: str, driver: str = "e1000", assigned: str = "0", permanent: str = "") -> None:
        card = self.sys / "class/net" / name
        (self.sys / "drivers" / driver).mkdir(parents=True, exist_ok=True)
        (card / "device").mkdir(parents=True, exist_ok=True)
        (card / "device/driver").unlink(missing_ok=True)
        (card / "device/driver").symlink_to(self.sys / "drivers" / driver)
        (card / "address").write_text(f"{address}\n", encoding="utf-8")
        (card / "addr_assign_type").write_text(f"{assigned}\n", encoding="utf-8")
        if permanent:
            self.permanent[name] = permanent

    def unplug(self, name: str) -> None:
        shutil.rmtree(self.sys / "class/net" / name)

    @property
    def read(self) -> dict[str, str]:
        return read_fingerprint()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hardware:
    return Hardware(tmp_path, monkeypatch)


def test_an_ordinary_machine_is_the_one_that_it_was_for_earlier_versions(here: Hardware) -> None:
    found = here.read
    assert {name: value for name, value in found.items() if name != "reading"} == FORMER
    for one, two in ((FORMER, found), (found, FORMER), (found, here.read)):
        assert compare(one, two).verdict == "same"


def test_a_virtual_function_that_comes_and_goes_changes_nothing(here: Hardware) -> None:
    here.card("eth0", MAC, driver="hv_netvsc")
    without = here.read
    here.card("enP1s1", MAC, driver="mlx5_core", assigned="3", permanent=MAC)
    with_it = here.read
    assert compare(without, with_it).verdict == "same"
    # Nodelocks of earlier versions, made with and without it, are of this machine in either state.
    for former in (FORMER, {**FORMER, "mac-addresses": FORMER_MAC_TWICE}):
        for now in (without, with_it):
            assert compare(former, now).verdict == "same"
    # One real change beside it is tolerated as ever.
    here.dmi("11111111-2222-3333-4444-555555555555", SERIAL)
    assert compare(without, here.read).verdict == compare(FORMER, here.read).verdict == "drifted"


@pytest.mark.parametrize(
    "filler",
    [
        "NA", "N/A", "na", "None", "Not Specified", "Not Applicable", "System Serial Number",
        "Base Board Serial Number",
        "To be filled by O.E.M.", "Default string", "0", "00000000", "0123456789", "123456789", "xxxxxxxx", "........",
        "Unknown", "Serial Number", "INVALID", "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "Not Settable", "Not Present",
    ],
)  # fmt: skip
def test_a_placeholder_of_the_firmware_identifies_nothing(here: Hardware, filler: str) -> None:
    here.dmi(filler, filler)
    found = here.read
    assert not {"product-uuid", "board-serial"} & set(found)
    # Two machines of one maker, alike in their placeholders and in a copied machine-id, are a clone.
    here.disk = None
    found = here.read
    here.card("eth0", "00:0d:3a:00:00:01")
    assert compare(found, here.read).verdict == "cloned"


@pytest.mark.parametrize("serial", ["PF1XYZ", "/7FQXYZ/CN129636BB00JK/", "0000-0012-3456-7890", "VMware-42 1a", "NA1"])
def test_uuid_and_serial_number_identify_however_they_are_written(here: Hardware, serial: str) -> None:
    here.dmi(UUID, serial)
    found = here.read
    here.dmi(UUID.upper(), f"  {serial.replace(' ', '  ')} ")
    assert "board-serial" in found and compare(found, here.read).verdict == "same"


def test_a_home_that_was_activated_with_a_placeholder_stays_with_its_machine(here: Hardware) -> None:
    former = {**FORMER, "product-uuid": FORMER_FS, "board-serial": FORMER_NA}
    here.dmi("ffffffff-ffff-ffff-ffff-ffffffffffff", "NA")
    assert compare(former, here.read).verdict == compare(here.read, former).verdict == "same"
    # What counted as drift then does so now: service goes on.
    here.card("eth0", "00:0d:3a:00:00:01")
    assert compare(former, here.read).verdict == "drifted"
    # And what was another machine is one.
    here.dmi(UUID, "NA")
    found = compare(former, here.read)
    assert (found.verdict, found.changed) == ("cloned", ("product-uuid", "mac-addresses"))
    assert "none" not in in_words(former, here.read, found.changed)


def test_the_address_of_a_bond_is_not_that_of_its_cards(here: Hardware) -> None:
    here.card("eth1", SLAVE)
    before = here.read
    here.card("eth1", MAC, assigned="2")
    (here.sys / "class/net/eth1/bonding_slave").mkdir()
    (here.sys / "class/net/eth1/bonding_slave/perm_hwaddr").write_text(f"{SLAVE}\n", encoding="utf-8")
    assert compare(before, here.read).verdict == "same"
    assert compare({**FORMER, "mac-addresses": FORMER_BONDED}, here.read).verdict == "same"


def test_an_address_that_software_has_set_is_not_the_cards(here: Hardware) -> None:
    here.card("eth0", MAC, permanent=MAC.upper())
    before = here.read
    here.card("eth0", "02:00:00:00:00:01", assigned="3", permanent=MAC.upper())
    assert compare(before, here.read).verdict == "same"
    here.unplug("eth0")
    here.permanent.clear()
    here.card("eth0", "02:00:00:00:00:02", assigned="1")
    assert "mac-addresses" not in here.read


def test_a_copy_that_takes_the_address_of_its_original_is_a_copy(here: Hardware) -> None:
    original = here.read
    here.dmi("11111111-2222-3333-4444-555555555555", "OTHER9")
    here.card("eth0", MAC, assigned="3", permanent="02:11:22:33:44:55")
    assert compare(original, here.read).verdict == "cloned"
    assert set(compare(original, here.read).changed) == {"product-uuid", "board-serial", "mac-addresses"}


def test_a_fingerprint_has_no_more_entries_than_an_authority_takes(here: Hardware) -> None:
    here.dmi("FFFFFFFF-ffff-ffff-ffff-ffffffffffff", "PF1 xyz")
    here.card("eth0", MAC, driver="hv_netvsc")
    here.card("eth1", "AA:0d:3a:65:43:21")
    assert len(here.read) <= 10 and set(here.read) <= fingerprint.NAMES
    assert len(fingerprint.NAMES) <= 10
