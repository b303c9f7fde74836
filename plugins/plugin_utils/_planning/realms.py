# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose word a license server takes for the realm that it honours for good. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import OFFLINE
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem


def realm_problems(
    declared: Mapping[str, Any] | None, source: Mapping[str, Any], target: Mapping[str, Any], arrives: bool
) -> list[Problem]:
    """Return what keeps a target from knowing its realm, or contradicts what is declared.

    An authority that the target reaches proves which realm it is. Offline nothing does: what a managed host names, be
    it the source or its bundle, is the word of whoever can write there, so that the realm has to be declared.

    :param declared: the realm that the inventory declares, if it does
    :param source, target: ``{host, overview}``, the target with ``authority``
    :param arrives: whether the target is to activate anything
    """
    pinned = target["overview"]["server"]["realm"]
    host = str(target["host"])
    if not declared:
        if not arrives or pinned or str(target.get("authority") or "").strip() != OFFLINE:
            return []
        what = f"No realm is declared for {host}, and offline no authority tells it whose responses to honour."
        todo = (
            "Declare aims_license_server_realm as the authority's owner has it ('authority realm --ledger PATH' prints "
            f"it). What {source['host']} names is not relied on: a license server does not change its realm."
        )
        return [Problem(what, host, todo)]
    key = Realm.from_dict(declared, "aims_license_server_realm").key
    sides = [(str(side["host"]), side["overview"]["server"]["realm"]) for side in (source, target)]
    todo = "Correct aims_license_server_realm, or install a new home there; a license server does not change its realm."
    return [
        Problem(f"{name} honours realm {realm['id']} ({realm['name']}), which is not the declared one.", name, todo)
        for name, realm in sides
        if arrives and realm and realm["key"] != key
    ]
