# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts that Ansible gathers about the license servers of a host."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import Listen
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.install import (
    Package,
    Settings,
    install,
    remove,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._package import build_package
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CODES,
    HOME,
    CoreLab,
    Host,
)

PACKAGE = Package(VERSION, build_package())
WORD = "write the facts /etc/ansible/facts.d/aims_license_server.fact"


@pytest.fixture
def bare(lab: CoreLab) -> Host:
    """A machine on which nothing was ever installed."""
    shutil.rmtree(lab.old.root / "opt")
    return lab.old


def place(host: Host) -> Path:
    return host.root / "etc" / "ansible" / "facts.d" / "aims_license_server.fact"


def servers(host: Host) -> list[dict[str, Any]]:
    told = json.loads(place(host).read_text(encoding="utf-8"))
    assert list(told) == ["servers"]
    return list(told["servers"])


def put(host: Host, home: str = HOME, dry: bool = False, **settings: Any) -> tuple[str, ...]:
    made = Settings(**{"authority": "offline", **settings})
    return tuple(install(Home(home, str(host.root)), PACKAGE, settings=made, dry=dry).words)


def test_an_installation_leaves_facts_and_the_next_one_changes_none(bare: Host) -> None:
    put(bare, dry=True)
    assert not place(bare).exists()
    put(bare)
    before = place(bare).stat()
    # A file that is executable would be run.
    assert before.st_mode & 0o777 == 0o644
    assert servers(bare) == [
        {
            "home": HOME,
            "home_id": bare.home.home_id,
            "version": VERSION,
            "digest": PACKAGE.digest,
            "service": "none",
            "listen": {"clients": "", "management": "127.0.0.1"},
            "ports": {"clients": 3400, "management": 3401},
        }
    ]
    assert put(bare) == ()
    assert place(bare).stat().st_mtime_ns == before.st_mtime_ns
    put(bare, listen=Listen("192.0.2.10", "127.0.0.1"))
    assert servers(bare)[0]["listen"] == {"clients": "192.0.2.10", "management": "127.0.0.1"}


def test_the_facts_hold_no_secret(bare: Host, lab: CoreLab) -> None:
    put(bare)
    lab.activate(bare)
    assert put(bare) == ()
    text = place(bare).read_text(encoding="utf-8")
    key = bare.read("Config/host.key").decode("utf-8", "replace").strip()
    assert not [secret for secret in (*CODES.values(), key) if secret in text]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"servers": 3}', b'{"servers": [3]}', b"\xff", None])
def test_facts_that_were_changed_are_written_anew(bare: Host, content: bytes | None) -> None:
    put(bare)
    before = place(bare).read_bytes()
    place(bare).unlink()
    if content is not None:
        place(bare).write_bytes(content)
    assert put(bare, dry=True) == (WORD,)
    assert put(bare) == (WORD,)
    assert place(bare).read_bytes() == before


def test_several_servers_of_a_host_share_the_file(bare: Host) -> None:
    put(bare)
    put(bare, home="/srv/second")
    assert [server["home"] for server in servers(bare)] == [HOME, "/srv/second"]
    # Neither undoes the other.
    assert put(bare) == put(bare, home="/srv/second") == ()
    remove(Home(HOME, str(bare.root)), dry=True)
    assert len(servers(bare)) == 2
    remove(Home(HOME, str(bare.root)))
    assert [server["home"] for server in servers(bare)] == ["/srv/second"]
    remove(Home("/srv/second", str(bare.root)))
    assert not place(bare).exists()
