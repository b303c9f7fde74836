# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose word a license server takes for the realm that it honours for good. Pure."""

from __future__ import annotations

from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.sides import Side


def realm_problems(declared: Realm | None, source: Side, target: Side, arrives: bool) -> list[Problem]:
    """Return what keeps a target from knowing its realm, or contradicts what is declared.

    An authority that the target reaches proves which realm it is. Offline nothing does: what a managed host names, be
    it the source or its bundle, is the word of whoever can write there, so that the realm has to be declared.

    :param declared: the realm that the inventory declares, if it does
    :param arrives: whether the target is to activate anything
    """
    if not arrives:
        return []
    if declared is None:
        return _undeclared(source, target)
    todo = "Correct aims_license_server_realm, or install a new home there; a license server does not change its realm."
    return [
        Problem(f"{side.host} honours realm {realm.id} ({realm.name}), which is not the declared one.", side.host, todo)
        for side in (source, target)
        for realm in [side.overview.server.realm]
        if realm is not None and realm.key != declared.key
    ]


def _undeclared(source: Side, target: Side) -> list[Problem]:
    if target.overview.server.realm is not None or not target.is_offline:
        return []
    what = f"No realm is declared for {target.host}, and offline no authority tells it whose responses to honour."
    todo = (
        "Declare aims_license_server_realm as the authority's owner has it ('authority realm --ledger PATH' prints "
        f"it). What {source.host} names is not relied on: a license server does not change its realm."
    )
    return [Problem(what, target.host, todo)]


def different_realms(source: Side, target: Side) -> list[Problem]:
    """Return that the two hosts honour different realms, if they do."""
    ours, theirs = source.overview.server.realm, target.overview.server.realm
    if ours is None or theirs is None or ours.key == theirs.key:
        return []
    return [
        Problem(
            f"{source.host} honours realm {ours.id} ({ours.name}), {target.host} realm {theirs.id} ({theirs.name}).",
            "realm",
            "Install a new home on the target; a license server does not change its realm.",
        )
    ]
