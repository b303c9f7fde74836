# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with the vendor's license server, three active licenses, and commands that its operator names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import OfflineFiles
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import (
    DEFAULT_HOME,
    VENDOR,
    open_manager,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Activation,
    Change,
    Deactivation,
    LicenseManager,
    Maintenance,
    ProfileChange,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor import licman, site
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile

from support.vendor_licman import NAMED, WITH_CODE, calls, make_licman
from support.vendor_tree import NUMBERS, SERVER, make_tree, put, stem

CODE = "K7QXM-2RVTA-9HWCP-DE4NZ-J6S8B"
OFFLINE = OfflineFiles({})


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing be waited for longer than a test can afford."""
    monkeypatch.setattr(licman, "_GRACE", 0.3)
    monkeypatch.setattr(licman.Licman.__init__, "__defaults__", (3.0,))
    monkeypatch.setattr(site, "PAUSE", 0.05)
    monkeypatch.setattr(site.Site.__init__, "__defaults__", (1.0, lambda: "2026-11-21T19:20:22Z"))


class VendorHost:
    """A source on which a command of the operator's deactivates licenses."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "usr" / "local" / "Aimms"
        self.named: dict[str, Any] = dict(NAMED)
        put(root, "etc/machine-id", b"0123456789abcdef0123456789abcdef\n")
        make_tree(self.home)
        self.behaves()
        # As the bundle has them.
        self.bundled = self.nodelocks()

    def behaves(self, variant: str = "good", **more: str) -> None:
        make_licman(self.home, variant, **more)

    def takes_the_code(self) -> None:
        self.named["deactivate"] = WITH_CODE

    def nodelocks(self) -> dict[str, str]:
        files = sorted((self.home / "Nodelocks").iterdir())
        return {f"Nodelocks/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def manager(self) -> LicenseManager:
        return open_manager(VENDOR, DEFAULT_HOME, root=str(self.root), vendor_commands=self.named)

    def deactivate(self, *numbers: str, dry: bool = False, codes: bool = True) -> Change:
        wanted = numbers or (SERVER,)
        known = dict.fromkeys(wanted, CODE) if codes else {}
        return self.manager().deactivate(Deactivation(wanted, bundled=self.bundled, codes=known), OFFLINE, dry=dry)

    def activate(self, *licenses: DeclaredLicense, users: Sequence[str] | None = None, dry: bool = False) -> Change:
        activation = Activation(licenses or (DeclaredLicense(SERVER, CODE),), users=users)
        return self.manager().activate(activation, OFFLINE, dry=dry)

    def maintenance(self, enabled: bool, dry: bool = False) -> Change:
        return self.manager().set_maintenance(Maintenance(enabled), dry=dry)

    def rename(self, old: str, new: str, number: str = SERVER, dry: bool = False) -> Change:
        return self.manager().set_profiles(ProfileChange([Profile(new, number)], [old]), dry=dry)

    def refused(self, call: Callable[[], object]) -> LicensingError:
        """Return the refusal of a call: in words, and without the code."""
        with pytest.raises(LicensingError) as refused:
            call()
        assert CODE not in str(refused.value) and "Traceback" not in str(refused.value)
        return refused.value

    @property
    def held(self) -> set[str]:
        return self.manager().overview().held

    @property
    def state(self) -> Path:
        return self.root / "var" / "lib" / "aims-licensing"

    def record(self, number: str = SERVER, action: str = "deactivate") -> Path:
        return self.state / "Attempts" / f"{stem(number)}.{action}"

    def runs(self, option: str = "--give-back") -> int:
        """How often a command was run."""
        return sum(call.startswith(option) for call in calls(self.home))

    def everything(self) -> dict[Path, bytes]:
        files = (path for path in self.root.rglob("*") if path.is_file() and path.suffix != ".calls")
        return {path: path.read_bytes() for path in files}

    def has_lost_nothing(self) -> bool:
        """Whether each license still has its license file."""
        return all((self.home / f"Licenses/{stem(number)}.lic").exists() for number in NUMBERS)
