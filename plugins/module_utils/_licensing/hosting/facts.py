# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts about the license servers of a host, which Ansible gathers as ``ansible_local.aims_license_server``.

The file is static. Ansible runs an executable one as its user at each gathering, and waits for it. So it has only what
an installation decides; ``aims_license_info`` reads the rest.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..addresses import CLIENTS_PORT, MANAGEMENT_PORT
from ..files import PUBLIC, Folder
from ..home.store import Home
from ..overview import ServerView

_FILE = "etc/ansible/facts.d/aims_license_server.fact"
FACTS = f"/{_FILE}"


def facts_differ(home: Home, server: ServerView) -> bool:
    """Whether the file lacks what it has to say about a server."""
    return _is_ours(home) and _content([*_others(home), _facts(server)]) != _root(home).find(_FILE)


def write_facts(home: Home, server: ServerView) -> None:
    """Write what the file has to say about a server; other homes' servers stay in it."""
    if facts_differ(home, server):
        _root(home).write(_FILE, _content([*_others(home), _facts(server)]), PUBLIC)


def remove_facts(home: Home) -> None:
    """Remove a home's server from the file, and the file with the last one."""
    others = _others(home)
    if not _is_ours(home) or not _root(home).has(_FILE):
        return
    if others:
        _root(home).write(_FILE, _content(others), PUBLIC)
    else:
        _root(home).remove(_FILE)


def _root(home: Home) -> Folder:
    return Folder(Path(home.root or "/"))


def _is_ours(home: Home) -> bool:
    """Whether this user may write the file. Who rehearses without root in a folder of his own leaves the host alone."""
    place = Path(home.root or "/") / _FILE
    existing = next(path for path in place.parents if path.exists())
    return os.access(existing, os.W_OK | os.X_OK)


def _others(home: Home) -> list[dict[str, Any]]:
    """Return the facts about the servers of other homes. A damaged file has none."""
    try:
        servers = json.loads(_root(home).find(_FILE) or b"{}")["servers"]
        return [dict(server) for server in servers if str(server["home"]) != home.home]
    except (ValueError, RecursionError, LookupError, TypeError):
        return []


def _content(servers: list[dict[str, Any]]) -> bytes:
    ordered = sorted(servers, key=lambda server: str(server["home"]))
    return (json.dumps({"servers": ordered}, indent=2, sort_keys=True) + "\n").encode()


def _facts(server: ServerView) -> dict[str, Any]:
    # Not authority and realm: other modules set them too, and the next installation would find the facts outdated.
    return {
        "home": server.home,
        "home_id": server.home_id,
        "version": server.version,
        "digest": server.digest,
        "service": server.service,
        "listen": server.listen.as_dict() if server.listen else None,
        "ports": {"clients": CLIENTS_PORT, "management": MANAGEMENT_PORT},
    }
