# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a request travels to an authority and its response back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Callable, Protocol

from .. import faults
from ..addresses import parse_service, service_url
from ..documents import Realm
from ..errors import refuse, shown

LEDGER = "ledger:"
OFFLINE = "offline"
HTTPS = "https://"
HTTPS_PORT = 443


class Channel(Protocol):
    """A way to an authority.

    :ivar online: whether a request is answered in the same call
    :ivar realm: whose answers come this way, where the channel itself can tell
    :ivar where: the other end, for messages
    """

    online: bool
    realm: Realm | None
    where: str

    def exchange(self, number: str, request: bytes) -> bytes | None:
        """Hand over a request; return the response, or None while it has to be fetched by hand.

        The same request may be handed over any number of times.
        """

    def probe(self, dry: bool = False) -> None:
        """Refuse where the authority cannot be reached, or could not answer a request now. It is asked for nothing.

        :param dry: change no byte on this machine
        """


class Embedded:
    """An authority that is a function call away.

    :param answer: gives the response to a request
    :param check: refuses where no answer could be recorded now; told whether it may not write
    """

    online = True

    def __init__(
        self, realm: Realm, where: str, answer: Callable[[bytes], bytes], check: Callable[[bool], object]
    ) -> None:
        self.realm: Realm | None = realm
        self.where = where
        self._answer = answer
        self._check = check

    def exchange(self, number: str, request: bytes) -> bytes | None:
        faults.reach("channel.embedded.send", number)
        response = self._answer(request)
        faults.reach("channel.embedded.received", number)
        return response

    def probe(self, dry: bool = False) -> None:
        """Have the authority write to its ledger: one that can only be read answers no request."""
        self._check(dry)


class OfflineFiles:
    """Request files that a person carries to the authority, and the response files that came back.

    :param responses: license number → content of its response file
    :param where: the folder that they were found in
    """

    online = False

    def __init__(self, responses: Mapping[str, bytes], where: str = "") -> None:
        self.realm: Realm | None = None
        self.where = where or OFFLINE
        self._responses = responses

    def exchange(self, number: str, request: bytes) -> bytes | None:
        faults.reach("channel.offline.look", number)
        return self._responses.get(number)

    def probe(self, dry: bool = False) -> None:
        """Do nothing: a request file is only written."""


def check_authority(authority: str | None) -> str:
    """Return the authority's address in order, or refuse.

    :param authority: ``ledger:/absolute/path``, ``https://host[:port]`` or ``offline``
    """
    text = (authority or "").strip()
    is_ledger = text.startswith(f"{LEDGER}/") and len(text) > len(LEDGER) + 1 and text.isprintable()
    if text == OFFLINE or is_ledger:
        return text
    if text.lower().startswith(HTTPS):
        return service_url(*service_address(text), HTTPS_PORT)
    raise refuse(
        f"{shown(authority)} is not an authority." if text else "No authority is given.",
        "authority",
        "Use 'ledger:/absolute/path/authority.db' or 'offline', or 'https://host:8443' of an authority's service "
        "(variable aims_license_server_authority).",
    )


def service_address(authority: str) -> tuple[str, int]:
    """Return host and port of an authority's service, or refuse what is not ``https://host[:port]``."""
    try:
        return parse_service(authority, HTTPS_PORT)
    except ValueError:
        # What stands before an @ is a password, as likely as not.
        named = re.sub(r"//.*@", "//…@", authority.strip())
        raise refuse(
            f"{shown(named)} is not the address of an authority's service.",
            "authority",
            "Write it as 'https://host:8443': a host name or IP address and the port, nothing else.",
        ) from None


def ledger_path(authority: str | None) -> str:
    """Return the path of the ledger that an authority's address names, or refuse any other kind of authority."""
    text = check_authority(authority)
    if not text.startswith(LEDGER):
        raise refuse(f"{shown(text)} names no ledger.", "authority", "Give 'ledger:/absolute/path/authority.db'.")
    return text[len(LEDGER) :]


def open_channel(
    authority: str | None,
    open_ledger: Callable[[str], Channel],
    responses: Mapping[str, bytes] | None = None,
    folder: str = "",
    realm: Realm | None = None,
) -> Channel:
    """Return the channel to an authority.

    :param open_ledger: what opens the ledger at a path (given by the floor above, which knows the authority's side)
    :param responses: for ``offline``, the response files at hand by license number
    :param folder: for messages, where these were found
    :param realm: the realm that is pinned or given; a service proves with its ``ca`` that it is the authority
    """
    text = check_authority(authority)
    if text == OFFLINE:
        return OfflineFiles(responses or {}, folder)
    if text.startswith(HTTPS):
        from .https import Https

        return Https(text, realm)
    return open_ledger(ledger_path(text))


def check_realm(authority: str, realm: Realm | None) -> Realm | None:
    """Return the realm, or refuse one without the certificate that an authority over HTTPS is checked against."""
    if authority.startswith(HTTPS) and (realm is None or realm.ca is None):
        raise refuse(
            "The authority's service cannot be checked: its realm has no ca.",
            authority,
            "Give the realm with its ca (aims_license_server_realm), as 'authority init' or 'authority realm' prints "
            "it.",
        )
    return realm


def merged(pinned: Realm | None, given: Realm | None) -> Realm | None:
    """Return the realm to deal with: the pinned one with the certificate that was given last, or the one there is.

    The key alone says which realm it is; where the two differ in it, the given one is returned, to be refused later.
    """
    if pinned is None or given is None or pinned.key != given.key:
        return given or pinned
    return Realm(pinned.name, pinned.key, given.ca or pinned.ca)
