# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan hands to the modules that carry it out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import Plan
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.sides import Side


@dataclass(frozen=True)
class Activation:
    """How ``aims_license_activate`` is called on the target.

    :ivar emergency: the numbers of licenses to activate for the days of an emergency only
    :ivar returned: the numbers of licenses that the source no longer holds by then
    :ivar users: the users to register; None where the target keeps its own
    :ivar source: the host to record as the origin of the files; None where it is unknown which files belong there
    """

    licenses: tuple[DeclaredLicense, ...]
    profiles: tuple[Profile, ...]
    emergency: tuple[str, ...]
    returned: tuple[str, ...]
    users: tuple[str, ...] | None
    source: str | None

    @classmethod
    def of(
        cls, plan: Plan, licenses: Sequence[DeclaredLicense], profiles: Sequence[Profile], source: str
    ) -> Activation:
        """Return the call for a plan: everything but the licenses that only the authority's owner can set free."""
        left_out = set(plan.left_out)
        return cls(
            tuple(license for license in licenses if license.number not in left_out),
            tuple(profile for profile in profiles if profile.license not in left_out),
            tuple(plan.emergency),
            plan.returned,
            plan.users,
            None if plan.files is not None and plan.files.unknown else source,
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "licenses": as_options(self.licenses),
            "profiles": [
                {"name": profile.name, "license": profile.license, "default": profile.default}
                for profile in self.profiles
            ],
            "emergency": list(self.emergency),
            "returned": list(self.returned),
            "users": None if self.users is None else list(self.users),
            "source": self.source,
        }


def unfinished(plan: Plan, licenses: Sequence[DeclaredLicense]) -> list[DeclaredLicense]:
    """Return the licenses whose activation the source has requested and has to finish before it is backed up."""
    return [license for license in licenses if license.number in plan.unfinished]


def is_source_verified(source: Side) -> bool:
    """Whether the source is to be verified once its licenses moved: only where its server runs, seats can be asked."""
    return source.reachable and bool(source.overview.server.running)


def as_options(licenses: Sequence[DeclaredLicense]) -> list[dict[str, Any]]:
    """Return licenses as modules take them, without their codes, which no result has."""
    return [
        {
            "number": license.number,
            "profile": license.profile,
            "default": license.default,
            "nodelock": license.nodelock,
        }
        for license in licenses
    ]
