# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import CoreLab
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.pair import Pair, install


@pytest.fixture(scope="session")
def new_ledger(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return CoreLab.new_ledger(tmp_path_factory.mktemp("ledger"))


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    # No test cuts the power, and waiting for the disk is what takes most of a test's time.
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def other_name(monkeypatch: pytest.MonkeyPatch) -> str:
    """A second name of this machine, which no certificate has."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda name, *more, **named: resolve(name.replace("other", "localhost"), *more, **named)
    )
    return "other"


@pytest.fixture
def pair(tmp_path: Path, new_ledger: bytes) -> Iterator[Pair]:
    """The worked example active on the source; nothing on the target."""
    lab = CoreLab(tmp_path, new_ledger)
    lab.activate(lab.old)
    yield Pair(lab)
    lab.close()


@pytest.fixture
def at_hand(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """The commands of the package, as their host's administrator has them on the path."""
    for host in (pair.old, pair.new):
        install(pair.lab, host)
    monkeypatch.setenv("PATH", f"{pair.new.folder / 'Bin'}:/usr/bin:/bin")
    return pair
