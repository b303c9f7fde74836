# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodelocks that belong to a person and not to a machine."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    SERVER,
    CoreLab,
    declared,
)


class TestPersonalNodelocks:
    def activate(self, lab: CoreLab, host: Any, nodelock: str = "personal") -> Any:
        return host.manager.activate(Activation(declared(SERVER, nodelock=nodelock)), lab.channel())

    def test_a_personal_nodelock_has_its_own_account(self, lab: CoreLab) -> None:
        self.activate(lab, lab.old)
        lab.deactivate(lab.old, SERVER)
        self.activate(lab, lab.new)
        assert (lab.spent(SERVER, "personal"), lab.spent(SERVER, "machine")) == (1, 0)
        shown = lab.new.overview["licenses"][0]
        assert (shown["protection"], shown["transfers"]["window_seconds"]) == ("Personal Nodelock", 86400)

    def test_a_machine_nodelock_does_not_become_a_personal_one(self, lab: CoreLab) -> None:
        self.activate(lab, lab.old, "machine")
        before = lab.old.files()
        with pytest.raises(LicensingError, match="machine nodelock cannot be changed into a personal one"):
            self.activate(lab, lab.old)
        assert lab.old.files() == before
        lab.deactivate(lab.old, SERVER)
        with pytest.raises(LicensingError, match="machine nodelock cannot be changed into a personal one"):
            self.activate(lab, lab.new)

    def test_a_personal_nodelock_becomes_a_machine_nodelock_where_one_is_declared(self, lab: CoreLab) -> None:
        self.activate(lab, lab.old)
        assert self.activate(lab, lab.old, "machine").changed
        assert lab.old.overview["licenses"][0]["protection"] == "Machine Nodelock"
        assert not self.activate(lab, lab.old, "machine").changed
        assert (lab.spent(SERVER, "personal"), lab.spent(SERVER, "machine")) == (0, 0)

    def test_a_personal_nodelock_is_refused_offline_before_a_request_is_made(self, lab: CoreLab) -> None:
        with pytest.raises(LicensingError, match="personal nodelock cannot be activated offline"):
            lab.old.manager.activate(Activation(declared(SERVER, nodelock="personal"), realm=lab.realm), lab.offline())
        assert lab.old.open_requests() == []
