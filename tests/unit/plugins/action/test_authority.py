# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rehearsal takes from a bundle."""

from __future__ import annotations

import pytest
from ansible_collections.aims.licensing.plugins.action.aims_license_authority import _activation, _granted
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import (
    LicenseView,
    ProfileView,
    Status,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview, ServerView
from support.worked_example import CLIENT, SERVER

DECLARED = [DeclaredLicense(SERVER, None, "PROServer"), DeclaredLicense(CLIENT, None, "Client", default=True)]


def bundled(backend: str) -> Overview:
    server = ServerView(installed=True, backend=backend)
    return Overview(server=server, profiles=(ProfileView("Batch", SERVER),))


@pytest.mark.parametrize(
    ("backend", "profiles", "users"),
    [("bundled", [("Batch", False)], []), ("vendor", [("Batch", False), ("Client", True)], None)],
)
def test_what_the_vendors_files_do_not_show_is_taken_from_the_declaration(
    backend: str, profiles: list[tuple[str, bool]], users: list[str] | None
) -> None:
    activation = _activation(DECLARED, bundled(backend))
    assert [(one["name"], one["default"]) for one in activation["profiles"]] == profiles
    assert activation["users"] == users
    assert [one.get("profile") for one in activation["licenses"]] == [None, None]


def test_grants_that_a_bundle_does_not_show_are_left_to_others() -> None:
    assert _granted(LicenseView(SERVER, Status.ACTIVE, type="AIMMS", seats=5)) == {"type": "AIMMS", "seats": 5}
    assert _granted(LicenseView(SERVER, Status.ACTIVE)) == {}
