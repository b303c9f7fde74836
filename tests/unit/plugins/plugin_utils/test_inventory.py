# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory check knows is what the roles declare."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.aims.licensing.plugins.plugin_utils import _inventory

ROLES = Path(_inventory.__file__).parents[2] / "roles"


def test_the_variables_that_are_known_are_those_of_the_roles() -> None:
    declared = set()
    for place in ROLES.glob("*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(place.read_text(encoding="utf-8"))["argument_specs"].values():
            declared |= set(entry["options"])
    assert declared == _inventory.VARIABLES
