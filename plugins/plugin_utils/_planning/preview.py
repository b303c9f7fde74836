# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the authority is asked before a pair is planned, by what both hosts show. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView, Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.preflight import ANYBODY
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair import Pair


@dataclass(frozen=True)
class QuoteRequest:
    """What activating on the target is asked with, in check mode.

    :ivar is_needed: whether any license is to be asked about
    :ivar realm: the declared one, or that of the source's licenses; empty where the target reaches no authority
    :ivar released_by: the keys of servers that will have released their licenses by the time of the activation
    :ivar emergency: the licenses to ask about as an emergency: where the source is lost, any may be held there
    """

    is_needed: bool
    realm: Mapping[str, str] = field(default_factory=dict)
    released_by: tuple[str, ...] = ()
    emergency: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        return {
            "needed": self.is_needed,
            "realm": dict(self.realm),
            "released_by": list(self.released_by),
            "emergency": list(self.emergency),
        }


def quote_request(pair: Pair, shown: Overview | None, declared: Mapping[str, str] | None = None) -> QuoteRequest:
    """Return what the authority is asked about a pair.

    :param shown: what the source shows, or its bundle where it is lost; None where it cannot be reached
    :param declared: the realm that the inventory declares, ``{name, key, ca}``
    """
    # A target that had the licenses before may have them again without its source.
    is_known = shown is not None or bool(pair.target.overview.licenses)
    is_needed = is_known and any(not _is_there(pair.target.license(number)) for number in pair.numbers)
    emergency = tuple(pair.numbers) if pair.is_bridged else ()
    if shown is None:
        # What a source that cannot be reached holds, the plan sees.
        return QuoteRequest(is_needed, declared or {}, (ANYBODY,), emergency)
    realm = shown.server.realm
    parts = {} if realm is None or pair.target.is_offline else realm.as_dict()
    # A license whose activation was cut off may be the source's already, although it does not show yet.
    keys = [license.holder for license in shown.licenses] + [request.holder for request in shown.pending]
    holders = [key for key in keys if key]
    named = {name: parts[name] for name in ("name", "key", "ca") if parts.get(name)}
    return QuoteRequest(is_needed, declared or named, tuple(dict.fromkeys(holders)), emergency)


def _is_there(license: LicenseView) -> bool:
    """Whether the target has a license for good, or has asked for it. What is fenced there may be the source's."""
    return not license.until and (license.is_served or license.status is Status.PENDING_ACTIVATION)
