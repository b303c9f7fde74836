# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine is recognized by what it is made of, and a copy of it is told apart."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import fingerprint
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import (
    COMPONENTS,
    MACHINE_ID,
    compare,
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
    assert refused.value.problems[0].todo == f"Make one, as root: {new_machine_id(str(tmp_path))}"


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


@pytest.mark.parametrize("empty", ["None", "To be filled by O.E.M.", "default string", "0"])
def test_the_serial_of_a_board_without_one_identifies_nothing(empty: str) -> None:
    assert fingerprint._serial(empty) is None
    assert fingerprint._serial("PF1XYZ") == "PF1XYZ"
