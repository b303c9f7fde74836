# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel interface, the embedded and offline channels, and the choice of a channel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Callable, Protocol

from .. import faults
from ..addresses import parse_service, service_url
from ..documents import Realm
from ..errors import quoted, refuse

LEDGER = "ledger:"
OFFLINE = "offline"
HTTPS = "https://"
HTTPS_PORT = 443


class Channel(Protocol):
    """A channel to an authority: it carries requests there and responses back.

    :ivar online: whether a request is answered in the same call
    :ivar realm: the authority's realm, if the channel knows it
    :ivar where: the authority's address or the folder of response files, for messages
    """

    online: bool
    realm: Realm | None
    where: str

    def exchange(self, number: str, request: bytes) -> bytes | None:
        """Send a request. Return the response, or None while a person has to fetch it.

        Sending the same request again is safe.
        """

    def probe(self, dry: bool = False) -> None:
        """Check that the authority is reachable and could answer a request. Sends no request.

        :param dry: write nothing on this machine
        :raises LicensingError: the authority is unreachable or cannot answer
        """


class Embedded:
    """An authority in the same process.

    :param answer: returns the response to a request
    :param check: raises if the ledger could not record an answer; its argument is whether to write nothing
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
        """Check that the ledger is writable, because an authority with a read-only ledger answers no request."""
        self._check(dry)


class OfflineFiles:
    """Request files that a person takes to the authority, and the response files that came back.

    :param responses: license number → content of its response file
    :param where: the folder of the response files, for messages
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
        """Do nothing: offline, a run only writes request files."""


def check_authority(authority: str | None) -> str:
    """Return the authority's address in normal form.

    :param authority: ``ledger:/absolute/path``, ``https://host[:port]`` or ``offline``
    :raises LicensingError: it is none of these
    """
    text = (authority or "").strip()
    is_ledger = text.startswith(f"{LEDGER}/") and len(text) > len(LEDGER) + 1 and text.isprintable()
    if text == OFFLINE or is_ledger:
        return text
    if text.lower().startswith(HTTPS):
        return service_url(*service_address(text), HTTPS_PORT)
    raise refuse(
        f"{quoted(authority)} is not an authority." if text else "No authority is set.",
        "authority",
        "Use 'ledger:/absolute/path/authority.db' or 'offline', or 'https://host:8443' of an authority's service "
        "(variable aims_license_server_authority).",
    )


def service_address(authority: str) -> tuple[str, int]:
    """Return host and port of an authority's address. Refuse any other form than ``https://host[:port]``."""
    try:
        return parse_service(authority, HTTPS_PORT)
    except ValueError:
        # The text before an @ may contain a password.
        named = re.sub(r"//.*@", "//…@", authority.strip())
        raise refuse(
            f"{quoted(named)} is not the address of an authority's service.",
            "authority",
            "Write it as 'https://host:8443': a host name or IP address and the port, nothing else.",
        ) from None


def ledger_path(authority: str | None) -> str:
    """Return the ledger's path from an authority's address. Refuse any other kind of authority."""
    text = check_authority(authority)
    if not text.startswith(LEDGER):
        raise refuse(f"{quoted(text)} names no ledger.", "authority", "Use 'ledger:/absolute/path/authority.db'.")
    return text[len(LEDGER) :]


def open_channel(
    authority: str | None,
    open_ledger: Callable[[str], Channel],
    responses: Mapping[str, bytes] | None = None,
    folder: str = "",
    realm: Realm | None = None,
) -> Channel:
    """Return the channel to an authority.

    :param open_ledger: opens the ledger at a path; passed by a floor that may import ``authority/``
    :param responses: for ``offline``, content of the response files by license number
    :param folder: the folder of these files, for messages
    :param realm: the pinned or declared realm; its ``ca`` authenticates the authority's service
    """
    text = check_authority(authority)
    if text == OFFLINE:
        return OfflineFiles(responses or {}, folder)
    if text.startswith(HTTPS):
        from .https import Https

        return Https(text, realm)
    return open_ledger(ledger_path(text))


def check_realm(authority: str, realm: Realm | None) -> Realm | None:
    """Return the realm. Over HTTPS, refuse a realm without ``ca``, because the service could not be authenticated."""
    if authority.startswith(HTTPS) and (realm is None or realm.ca is None):
        raise refuse(
            "The authority's service cannot be authenticated: the realm has no ca.",
            authority,
            "Declare the realm with its ca (aims_license_server_realm), as 'authority init' or 'authority realm' "
            "prints it.",
        )
    return realm


def merged(pinned: Realm | None, declared: Realm | None) -> Realm | None:
    """Combine the pinned and the declared realm: the pinned key with the declared certificate.

    If one of them is None, return the other. The key alone identifies a realm. If the keys differ, return the declared
    realm; a later check refuses it.
    """
    if pinned is None or declared is None or pinned.key != declared.key:
        return declared or pinned
    return Realm(pinned.name, pinned.key, declared.ca or pinned.ca)
