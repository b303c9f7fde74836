# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a host of a laboratory, one after the other."""

from __future__ import annotations

from pathlib import Path

from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import Bundle, BundleFile, newest
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.write import Verdict, judge, write_bundle
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import Host

VAULT = VaultLib([("default", VaultSecret(b"of the tests"))])
KEY = "ApplicationKeys/app.key"


class Backups:
    """Backs a host up, each time a minute later."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vault = VAULT
        self._taken = 0

    def seen(self, host: Host) -> tuple[list[BundleFile], Overview]:
        files = [BundleFile(one.name, f"{one.mode:04o}", one.content) for one in host.manager.files()]
        return files, host.manager.overview()

    def judge(self, host: Host) -> Verdict:
        return judge(self.folder, *self.seen(host), self.vault)

    def take(self, host: Host) -> Bundle:
        self._taken += 1
        return write_bundle(self.folder, "old", *self.seen(host), f"2026-01-01T12:{self._taken:02}:00Z", self.vault)

    @property
    def latest(self) -> Path:
        found = newest(self.folder)
        assert found is not None
        return found.path

    def count(self) -> int:
        return len([path for path in self.folder.iterdir() if not path.is_symlink()])


def publish(host: Host, content: str) -> None:
    host.write(KEY, content)
    (host.folder / KEY).chmod(0o600)
