# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port through which modules and commands manage a license server, whatever its make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional, Protocol

from ..channel.base import Channel
from ..declared import DeclaredLicense, Place
from ..documents import Realm
from ..errors import Problem
from ..model import Profile
from ..overview import Overview
from ..quote import Quote
from .drain import Drained, DrainOptions, Step
from .results import LicenseResult


@dataclass(frozen=True)
class Change:
    """What a call did, or in a dry run would do.

    :ivar results: one per license, in the order asked
    :ivar requests: license number → content of the request file that now waits for its response
    :ivar drained: what waiting for clients came to, where there was any
    :ivar again: the ticket of the drain with which the call is to be made again, as it is not over; None if it is
    :ivar warnings: what nothing shows, in sentences
    """

    changed: bool
    before: Overview
    after: Overview
    results: Sequence[LicenseResult] = ()
    requests: Mapping[str, bytes] = field(default_factory=dict)
    drained: Drained = field(default_factory=Drained)
    again: str | None = None
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class HomeFile:
    """A file of the home as a bundle holds it.

    :ivar secret: whether it may leave the host only encrypted
    """

    name: str
    mode: int
    secret: bool
    content: bytes = field(repr=False)


# Name → SHA-256, or None where a host names the file and not its digest.
Digests = Mapping[str, Optional[str]]


@dataclass(frozen=True)
class Carried:
    """Which files of a home move with licenses, and which came.

    :ivar files: the digests of those that are here
    :ivar brought: the digests of those that came, as they came last
    :ivar sources: the hosts whose files have all come, by the names that the controller has for them
    """

    files: Digests = field(default_factory=dict)
    brought: Digests = field(default_factory=dict)
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeatTrial:
    """What a profile gave who asked for a seat.

    :ivar outcome: of :mod:`verification`
    :ivar reason: why it gave none, in words
    """

    profile: str
    license: str
    outcome: str
    reason: str | None = None


@dataclass(frozen=True)
class Activation:
    """Licenses to be active here, and what comes with them.

    :ivar licenses: as they are declared, with their profiles
    :ivar realm: whose responses to honour, where none is pinned yet
    :ivar extra_profiles: further profiles of these licenses
    :ivar users: the registered users; None leaves them as they are
    :ivar released_by: for a dry run, public keys of hosts that will have released their licenses by then; ``*`` for
        any host
    :ivar files: application keys and other files that move with the licenses; one that is here already stays.
        Which mode they get here depends on their kind, and not on the one that they had
    :ivar emergency: numbers of those that are to be activated for the days that the authority grants, where another
        machine holds them
    :ivar returned: numbers of those that another machine was seen to have given back; offline, where nobody can be
        asked, an emergency activation of these is replaced by a usual one
    :ivar keep_profiles: whether licenses that have profiles here keep these, whatever is declared
    :ivar source: the name of the host that the licenses come from, where ``files`` are all of its files that move: with
        the last license it is on record that they came
    :ivar places: the order of all profiles that are declared here, where these licenses are some of those declared
    """

    licenses: Sequence[DeclaredLicense]
    realm: Realm | None = None
    extra_profiles: Sequence[Profile] = ()
    users: Sequence[str] | None = None
    released_by: Sequence[str] = ()
    files: Sequence[HomeFile] = ()
    emergency: Sequence[str] = ()
    returned: Sequence[str] = ()
    keep_profiles: bool = False
    source: str | None = None
    places: Sequence[Place] = ()

    @property
    def numbers(self) -> list[str]:
        """The numbers of the licenses, in the order declared."""
        return [license.number for license in self.licenses]


@dataclass(frozen=True)
class Deactivation:
    """Licenses to be given back to the authority.

    :ivar drain: first keep new seats from being given, and wait for those in use; with None sessions end with the fence
    :ivar step: where a drain stands that its controller makes in many short calls; None where this call is all of it
    :ivar bundled: the digests of the nodelocks' files in the bundle that covers the licenses, by name; None where
        nobody compares them
    :ivar codes: license number → activation code, for a command of the vendor's server that takes it
    """

    numbers: Sequence[str]
    drain: DrainOptions | None = None
    step: Step | None = None
    bundled: Digests | None = None
    codes: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Maintenance:
    """Whether maintenance mode is to be on.

    :ivar drain: how to wait for the seats in use before it is on; with None nobody is waited for
    :ivar step: where a drain stands that its controller makes in many short calls; None where this call is all of it
    """

    enabled: bool
    drain: DrainOptions | None = None
    step: Step | None = None


@dataclass(frozen=True)
class ProfileChange:
    """Profiles to be there, in this order, and profiles to go.

    :ivar absent: names of those to be removed
    :ivar purge: remove all that are not among ``profiles``
    """

    profiles: Sequence[Profile] = ()
    absent: Sequence[str] = ()
    purge: bool = False


class LicenseManager(Protocol):
    """Manages the license server of one home. ``dry`` calls predict and change nothing on the host."""

    def overview(self) -> Overview:
        """Return what the manager shows, as data."""

    def fingerprint(self) -> dict[str, str]:
        """Return the identity of this machine by component."""

    def places(self) -> dict[str, str | None]:
        """Return where home and machine-id lie, in a form that is the same for two hosts only if these are one."""

    def obstacles(self) -> list[Problem]:
        """Return what would keep this server from giving its licenses up, were it asked to."""

    def quote(
        self, licenses: Sequence[DeclaredLicense], channel: Channel, *, realm: Realm | None = None
    ) -> list[Quote]:
        """Ask the authority what it would answer to activations here.

        :param realm: whose answers to honour, where none is pinned yet
        """

    def activate(self, activation: Activation, channel: Channel, *, dry: bool = False) -> Change:
        """Make licenses active here, with their profiles."""

    def deactivate(self, deactivation: Deactivation, channel: Channel, *, dry: bool = False) -> Change:
        """Stop serving licenses and give them back to the authority.

        Refuses with the server as it was where the authority cannot be reached. Updates that are pending for these
        licenses are dropped. After a drain, a server that has other licenses to serve gives seats again once these are
        fenced; one that has none stays in maintenance mode.

        :return: what was done so far, with ``again``, where seats are in use or licenses left to be given back
        """

    def update(self, numbers: Sequence[str], channel: Channel, *, dry: bool = False) -> Change:
        """Fetch the license files of active licenses as the authority has them now; no transfer is spent.

        They are served meanwhile, by the license file that is here.
        """

    def set_maintenance(self, maintenance: Maintenance, *, dry: bool = False) -> Change:
        """Enter maintenance mode and wait for the seats in use to come back, or leave it and restart the server.

        While seats are waited for, no new ones are given for so long only as somebody goes on asking.
        """

    def end_drain(self, ticket: str) -> Change:
        """Give new seats again at once, unless another drain or maintenance mode keeps them."""

    def verify(self, served: bool, *, numbers: Sequence[str] | None = None, dry: bool = False) -> list[SeatTrial]:
        """Take and return one seat on every profile; refuse unless the server serves, or serves no longer.

        :param numbers: only the profiles of these licenses; None for all
        :return: by profile; nothing where nothing runs the server
        """

    def set_profiles(self, change: ProfileChange, *, dry: bool = False) -> Change:
        """Add, rename, re-point, order and remove profiles.

        :raises LicensingError: one of them names a license that is not installed
        """

    def carried(self) -> Carried:
        """Return which files here move with licenses, and which came; no contents."""

    def nodelocks(self) -> Mapping[str, str]:
        """Return the SHA-256 of the nodelocks' files by name: what shows that they changed."""

    def read_only(self) -> Sequence[str]:
        """Return the names of nodelock files that their owner cannot write: nothing can be given up then."""

    def unnumbered(self) -> Sequence[str]:
        """Return the names of license files that do not tell whose they are."""

    def symptoms(self) -> Sequence[Problem]:
        """Return the known messages of its logs, each with what to do."""

    def files(self) -> list[HomeFile]:
        """Return every file needed to rebuild the server."""
