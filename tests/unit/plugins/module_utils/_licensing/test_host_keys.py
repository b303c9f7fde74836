# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's own key: its licenses are given back and updated by it, and a second one is not made beside them."""

from __future__ import annotations

import re
import subprocess

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.release import release
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    SERVER,
    SESSION,
    CoreLab,
    LostReply,
    actions,
    declared,
    problems_of,
)


class TestHostKeys:
    """One home, one key: what was activated with it can be given up with no other."""

    KEY = "Config/host.key"

    def lose(self, lab: CoreLab) -> bytes:
        key = lab.old.read(self.KEY)
        (lab.old.folder / self.KEY).unlink()
        return key

    @pytest.mark.parametrize("dry", [False, True], ids=["real", "dry"])
    @pytest.mark.parametrize("pending", [False, True], ids=["active", "pending"])
    @pytest.mark.parametrize("other", [False, True], ids=["missing", "another"])
    def test_no_license_is_activated_with_a_second_key(
        self, lab: CoreLab, other: bool, pending: bool, dry: bool
    ) -> None:
        if pending:
            lab.old.manager.activate(Activation(declared(SERVER), realm=lab.realm), lab.offline())
        else:
            lab.activate(lab.old, SERVER)
        key = self.lose(lab)
        told = "The private key that the licenses were activated with is missing."
        if other:
            lab.old.write(self.KEY, documents.new_private_key())
            told = f"The private key is another than the one that was used to activate {SERVER}."
        before, ledger = lab.old.files(), lab.ledger_path.read_bytes()
        for channel in (lab.channel(), lab.offline()):
            with pytest.raises(LicensingError) as refused:
                lab.old.manager.activate(Activation(declared(SERVER, SESSION)), channel, dry=dry)
            assert problems_of(refused) == [told]
        assert lab.old.files() == before and lab.ledger_path.read_bytes() == ledger
        if not dry:
            lab.old.write(self.KEY, key)
            lab.activate(lab.old, SERVER, SESSION)
            lab.deactivate(lab.old, SERVER, SESSION)

    @pytest.mark.parametrize("pending", [False, True], ids=["active", "pending"])
    def test_a_host_whose_key_is_lost_for_good_forgets_what_was_released(self, lab: CoreLab, pending: bool) -> None:
        lab.activate(lab.old, SERVER, SESSION)
        if pending:
            with pytest.raises(ConnectionResetError):
                lab.old.manager.activate(Activation(declared(CLIENT)), LostReply(lab.realm, lab.desk().answer))
        self.lose(lab)
        with pytest.raises(LicensingError) as refused:
            lab.activate(lab.old)
        todo = refused.value.problems[0].todo
        for number in (SERVER, SESSION, *([CLIENT] if pending else [])):
            release(lab.ledger, number, "its key is lost", lab.clock())
        subprocess.run(re.findall(r"\((rm -f .*)\)", todo)[0], shell=True, check=True)
        assert lab.old.served() == set() and lab.old.open_requests() == []
        lab.activate(lab.old)
        assert set(lab.old.statuses().values()) == {"Active"}
        lab.check_one_holder()

    def test_what_is_active_stays_so_without_the_key(self, lab: CoreLab) -> None:
        lab.activate(lab.old, SERVER)
        self.lose(lab)
        assert lab.activate(lab.old, SERVER).changed is False
        assert not (lab.old.folder / self.KEY).exists()

    def test_licenses_of_two_keys_are_each_given_up_with_their_own(self, lab: CoreLab) -> None:
        """As homes are that were made before a second key was refused."""
        lab.activate(lab.old, SERVER)
        first, nodelocks = self.lose(lab), lab.old.folder / "Nodelocks"
        nodelocks.rename(lab.folder / "aside")
        nodelocks.mkdir()
        lab.activate(lab.old, SESSION)
        for file in (lab.folder / "aside").iterdir():
            file.rename(nodelocks / file.name)
        with pytest.raises(LicensingError, match=f"used to activate {SERVER}"):
            lab.deactivate(lab.old, SERVER)
        with pytest.raises(LicensingError, match=f"used to activate {SERVER}"):
            lab.old.manager.update([SERVER], lab.channel())
        assert actions(lab.old.manager.update([SESSION], lab.channel())) == ["updated"]
        lab.deactivate(lab.old, SESSION)
        lab.old.write(self.KEY, first)
        lab.deactivate(lab.old, SERVER)
        assert lab.old.served() == set()
