# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What licenses leave on the controller lies where it belongs, whatever a host is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils import _places
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.hosts import read_hosts
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.pairs import read_pairs
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import HostVariables
from ansible_collections.aims.licensing.plugins.plugin_utils._places import host_folder, report_stem

OUTSIDE = [
    "../../../x",
    "..",
    ".",
    "",
    "a/b",
    "/etc",
    "a\\b",
    ".hidden",
    ".tmp-x",
    "a\0b",
    "a\nb",
    "\ud800",
    " a",
    "x" * 201,
    "ü" * 101,
]


@pytest.mark.parametrize("host", OUTSIDE)
def test_no_bundle_and_no_report_is_named_after_a_host_that_leads_elsewhere(tmp_path: Path, host: str) -> None:
    for make in (
        lambda: host_folder(tmp_path, host),
        lambda: report_stem(host, "new"),
        lambda: report_stem("old", host),
    ):
        with pytest.raises(LicensingError, match="can be named after the host"):
            make()


@pytest.mark.parametrize("host", OUTSIDE)
def test_an_inventory_with_such_a_host_is_refused_before_anything_is_touched(host: str) -> None:
    def variables(name: str, **values: object) -> HostVariables:
        return HostVariables(name, values, values.__getitem__, values.__getitem__, lambda part: part)

    license = {"number": "015.120.064.022", "activation_code": "AAAAA-BBBBB-CCCCC-DDDDD-22222"}
    declared = {"aims_license_server_licenses": [license], "aims_license_server_authority": "offline"}
    for names in ((host, "old"), ("new", host)):
        target, source = names
        hosts = {
            target: variables(target, aims_license_migrate_source=source, **declared),
            source: variables(source, aims_license_server_authority="offline"),
        }
        with pytest.raises(LicensingError, match="can be named after the host"):
            read_pairs([target], hosts)
    with pytest.raises(LicensingError, match="can be named after the host"):
        read_hosts([host], {host: variables(host, **declared)})


@pytest.mark.parametrize("host", ["old", "old.example.com", "2001:db8::1", "a b", "grün", "x" * 200])
def test_other_hosts_have_the_folder_of_their_name(tmp_path: Path, host: str) -> None:
    assert host_folder(tmp_path / "none", host) == tmp_path / "none" / host
    host_folder(tmp_path, host).mkdir()
    assert host_folder(tmp_path, host) == tmp_path / host


def test_two_hosts_that_a_file_system_takes_for_one_do_not_share_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host_folder(tmp_path, "Old").mkdir()
    # Of a file system that does not tell upper from lower case.
    (tmp_path / "old").symlink_to("Old")
    monkeypatch.setattr(_places, "_names", lambda _base: ["Old"])
    with pytest.raises(LicensingError, match="does not distinguish old and Old"):
        host_folder(tmp_path, "old")
    # One that keeps an umlaut as two letters keeps the same host's folder.
    (tmp_path / "gr\u00fcn").mkdir()
    monkeypatch.setattr(_places, "_names", lambda _base: ["gru\u0308n"])
    assert host_folder(tmp_path, "gr\u00fcn") == tmp_path / "gr\u00fcn"


def test_a_pair_whose_report_could_not_be_written_is_refused() -> None:
    assert report_stem("a" * 98, "b" * 98) == f"{'a' * 98}-to-{'b' * 98}"
    with pytest.raises(LicensingError, match="too long for the name of their report"):
        report_stem("a" * 99, "b" * 98)
