# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the vendor's license server keeps its files, and what they show; what no file shows stays unknown."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView, Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.host import HostView
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.layout import (
    Layout,
    find_layout,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.reading import (
    obstacles_of,
    overview_of,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.tree import LocalTree
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from support.vendor_tree import (
    CLIENT,
    KEYLESS,
    KEYLESS_FILE,
    NUMBERS,
    SERVER,
    SESSION,
    make_tree,
    put,
    stem,
)

NOBODY = HostView()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "usr" / "local" / "Aimms")


def read(root: Path, host: HostView = NOBODY) -> Overview:
    return overview_of(Layout.of(LocalTree(root)), host)


def license_of(root: Path, number: str) -> LicenseView:
    shown = read(root).license(number)
    assert shown is not None
    return shown


def test_the_overview_shows_the_licenses_and_the_files_that_move(root: Path) -> None:
    overview = read(root)
    assert [(one.number, one.status, one.file) for one in overview.licenses] == [
        (number, Status.ACTIVE, f"{stem(number)}.lic") for number in sorted(NUMBERS)
    ]
    assert overview.files == ("ApplicationKeys/store.key", f"Licenses/{stem(SERVER)}.cpx")
    assert overview.server.installed and overview.server.backend == "vendor" and overview.server.home == str(root)
    assert overview.pending == () and overview.profiles == ()


def test_what_no_file_shows_is_unknown_and_comes_through_the_edge_so(root: Path) -> None:
    overview = read(root)
    shown = overview.licenses[0]
    names = ("type", "seats", "start", "expiry", "maintenance_expiry", "code_key", "transfers", "var", "in_use")
    assert {name: getattr(shown, name) for name in names} == dict.fromkeys(names)
    assert shown.nodelock is None and shown.protection == "Nodelock"
    assert overview.server.maintenance is None and overview.server.listen is None and overview.server.running is None
    assert Overview.from_dict(overview.as_dict(), "test") == overview


@pytest.mark.parametrize("name", ["licenses", "LICENSES"])
def test_folders_are_known_in_any_case(root: Path, name: str) -> None:
    (root / "Licenses").rename(root / name)
    (root / "Nodelocks" / f"{stem(CLIENT)}.lock").rename(root / "Nodelocks" / f"{stem(CLIENT)}.LOCK")
    overview = read(root)
    assert overview.held == set(NUMBERS)
    assert f"Licenses/{stem(SERVER)}.cpx" in overview.files


def test_two_files_that_differ_in_case_only_are_refused(root: Path) -> None:
    put(root, f"licenses/{stem(SERVER)}.lic")
    with pytest.raises(LicensingError, match="differ only in upper and lower case"):
        read(root)


def test_a_home_of_the_bundled_server_is_refused(tmp_path: Path) -> None:
    Home(str(tmp_path / "home")).create()
    with pytest.raises(LicensingError, match="belongs to the bundled license server"):
        read(tmp_path / "home")


def test_the_root_with_licenses_is_used_and_two_of_them_are_refused(tmp_path: Path, root: Path) -> None:
    other = tmp_path / "usr" / "local" / "AIMMS"
    put(other, "Bin/aimms")
    trees = [LocalTree(other), LocalTree(root)]
    assert find_layout(trees).where == str(root)
    put(other, "Licenses/015120064022.lic")
    with pytest.raises(LicensingError, match=f"License files lie in {other} and in {root}"):
        find_layout(trees)


def test_where_nothing_is_there_is_no_license_server(tmp_path: Path) -> None:
    layout = find_layout([LocalTree(tmp_path / "a"), LocalTree(tmp_path / "b")])
    overview = overview_of(layout, NOBODY)
    assert not overview.server.installed and overview.licenses == () and overview.server.home == str(tmp_path / "a")


def test_a_license_without_a_nodelock_is_inactive(root: Path) -> None:
    (root / "Nodelocks" / f"{stem(CLIENT)}.lock").unlink()
    shown = license_of(root, CLIENT)
    assert (shown.status, shown.protection, shown.is_held) == (Status.INACTIVE, "None", False)


@pytest.mark.parametrize("file", [f"{stem(KEYLESS)}.cpx", KEYLESS_FILE])
def test_a_license_with_a_cpx_file_and_no_nodelock_may_be_keyless(root: Path, file: str) -> None:
    put(root, f"Licenses/{stem(KEYLESS)}.lic")
    assert license_of(root, KEYLESS).status is Status.INACTIVE
    put(root, f"Licenses/{file}")
    shown = license_of(root, KEYLESS)
    assert shown.status is Status.KEYLESS_OR_INACTIVE and not shown.is_held


def test_an_empty_nodelock_is_half_written_and_holds_nothing(root: Path) -> None:
    put(root, f"Nodelocks/{stem(CLIENT)}.lock", b"")
    shown = license_of(root, CLIENT)
    assert not shown.is_held and shown.invalid is not None and "empty" in shown.invalid
    (problem,) = obstacles_of(Layout.of(LocalTree(root)), NOBODY)
    assert CLIENT in problem.what and "Look again in a minute" in problem.todo


def test_a_read_only_nodelock_is_an_obstacle(root: Path) -> None:
    lock = root / "Nodelocks" / f"{stem(SESSION)}.lock"
    lock.chmod(0o444)
    (problem,) = obstacles_of(Layout.of(LocalTree(root)), NOBODY)
    assert f"The nodelock of license {SESSION} is read-only" in problem.what and "attrib -r" in problem.todo
    lock.chmod(0o644)
    assert obstacles_of(Layout.of(LocalTree(root)), NOBODY) == []


def test_a_nodelock_without_its_license_file_is_shown_and_is_an_obstacle(root: Path) -> None:
    (root / "Licenses" / f"{stem(CLIENT)}.lic").unlink()
    assert license_of(root, CLIENT).invalid == "its license file is not there"
    (problem,) = obstacles_of(Layout.of(LocalTree(root)), NOBODY)
    assert "has a nodelock" in problem.what


def test_a_license_file_without_a_number_in_its_name_is_an_obstacle(root: Path) -> None:
    put(root, "Licenses/mine.lic")
    (problem,) = obstacles_of(Layout.of(LocalTree(root)), NOBODY)
    assert "Licenses/mine.lic has no license number" in problem.what
    assert read(root).numbers == sorted(NUMBERS)


def test_a_request_file_is_pending_wherever_it_lies(root: Path) -> None:
    number = "015.120.064.023"
    request = put(root, f"Config/{stem(number)}.request")
    os.utime(request, (1_700_000_000, 1_700_000_000))
    (pending,) = read(root).pending
    made = datetime.fromtimestamp(1_700_000_000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (pending.number, pending.action, pending.made, pending.answered) == (number, "activate", made, False)
    assert pending.file == f"Config/{stem(number)}.request"
    # There is no license file before the first activation is over.
    assert read(root).license(number) is None
    put(root, f"Config/{stem(number)}.response")
    assert read(root).pending[0].answered


def test_a_request_beside_a_nodelock_is_of_an_unknown_kind(root: Path) -> None:
    put(root, f"{stem(SERVER)}.request")
    (pending,) = read(root).pending
    assert pending.action == "unknown" and pending.is_move and not pending.is_activation
    assert license_of(root, SERVER).status is Status.ACTIVE


def test_a_license_file_whose_activation_is_pending_says_so(root: Path) -> None:
    (root / "Nodelocks" / f"{stem(SERVER)}.lock").unlink()
    put(root, f"{stem(SERVER)}.request")
    assert license_of(root, SERVER).status is Status.PENDING_ACTIVATION


def test_the_service_and_who_has_its_ports_are_shown(root: Path) -> None:
    host = HostView("aimms-ls.service", True, {3400: ("licsrv (process 7)",), 3401: ("nginx (process 9)",)})
    server = read(root, host).server
    assert (server.unit, server.running, server.service) == ("aimms-ls.service", True, "systemd")
    assert server.ports == {"3400": ("licsrv (process 7)",), "3401": ("nginx (process 9)",)}
    (problem,) = obstacles_of(Layout.of(LocalTree(root)), host)
    assert problem.what == "Port 3401 is in use by nginx (process 9), and the license server needs it."


def test_a_bundle_has_state_and_no_programs_and_logs(root: Path) -> None:
    put(root, "Resources/large.dat")
    names = Layout.of(LocalTree(root)).state_files
    assert "Config/settings.cfg" in names and "ApplicationKeys/store.key" in names
    assert f"Nodelocks/{stem(SERVER)}.ver" in names and "Logging/LicenseServerLogging.xml" in names
    assert not any(name.startswith(("Bin/", "Resources/")) or name.endswith(".log") for name in names)
