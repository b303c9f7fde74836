# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An overview and a report, as hosts and runs return them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.aims.licensing.tests.unit.plugins.plugin_utils.page_lab import REALM, license_of


@pytest.fixture
def overview() -> dict[str, Any]:
    numbers = ("015.120.064.022", "015.120.065.016", "015.120.055.014")
    names = ("PROServer", "PROSession", "Client")
    return {
        "server": {
            "installed": True,
            "version": "1.2.3",
            "digest": "d1",
            "home": "/usr/local/Aimms",
            "root": "/",
            "backend": "bundled",
            "maintenance": False,
            "home_id": "home-7",
            "realm": REALM.as_dict(),
            "host_key": "PLANTED-host-key",
            "authority": "https://user:PLANTED-password@authority.example.com/path",
        },
        "licenses": [
            license_of(numbers[0], "AIMMS - PRO Server", 100),
            license_of(numbers[1], "AIMMS Network - PRO Session", 8),
            license_of(numbers[2], "AIMMS Network - PRO Client", 10),
        ],
        "profiles": [
            {
                "name": name,
                "license": number,
                "in_use": 1,
                "reuse": 3 if name == "Client" else None,
                "default": name != "PROServer",
            }
            for name, number in zip(names, numbers, strict=True)
        ],
        "clients": [
            {
                "client": "desk-1",
                "address": "192.0.2.7",
                "user": "CORP\\mj",
                "profile": "Client",
                "license": "015.120.055.014",
                "since": "2026-11-21T08:02:11Z",
            },
        ],
        "users": ["CORP\\mj", "CORP\\ad"],
        "pending": [],
    }


@pytest.fixture
def report(overview: dict[str, Any]) -> dict[str, Any]:
    left = copy.deepcopy(overview)
    for lic in left["licenses"]:
        lic.update(status="Inactive Nodelock", fenced="2026-11-21T19:00:00Z", transfers=None)
    return {
        "pair": {"source": "old.example.com", "target": "new.example.com"},
        "made": "2026-11-21T19:00:05Z",
        "direction": "migrate",
        "before": overview,
        "after": copy.deepcopy(overview),
        "source_after": left,
        "plan": {
            "licenses": [
                {
                    "number": p["license"],
                    "profile": p["name"],
                    "state": "on source",
                    "step": "move",
                    "spends": 1,
                    "left": 3,
                    "returns": None,
                }
                for p in overview["profiles"]
            ],
            "notes": ["The budget suffices."],
        },
        "moved": [p["license"] for p in overview["profiles"]],
        "without_service_seconds": 4.26,
        "bundle": "/srv/bundles/old",
        "connection_strings": [{"profile": "Client", "string": "new.example.com:3400,Client"}],
        "licenses_cfg": ["1\tnetwork\tnew.example.com:3400", "0\tlocal\t015120001005.lic"],
        "pending": [],
        "next_step": None,
    }
