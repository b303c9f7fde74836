# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a request travels to an authority and its response back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable, Protocol

from .documents import Realm
from .errors import refuse

LEDGER = "ledger:"
OFFLINE = "offline"


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


class Embedded:
    """An authority that is a function call away."""

    online = True

    def __init__(self, realm: Realm, where: str, answer: Callable[[bytes], bytes]) -> None:
        self.realm: Realm | None = realm
        self.where = where
        self._answer = answer

    def exchange(self, number: str, request: bytes) -> bytes | None:
        return self._answer(request)


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
        return self._responses.get(number)


def check_authority(authority: str | None) -> str:
    """Return the authority's address in order, or refuse.

    :param authority: ``ledger:/absolute/path`` or ``offline``; ``https://…`` is the service's, not part of this version
    """
    text = (authority or "").strip()
    if text == OFFLINE or (text.startswith(f"{LEDGER}/") and len(text) > len(LEDGER) + 1):
        return text
    if text.startswith("https://"):
        raise refuse(
            "An authority over HTTPS is not part of this version of the collection.",
            "authority",
            "Use 'ledger:/path/authority.db' for a rehearsal on one machine, or 'offline'.",
        )
    raise refuse(
        f"{authority!r} is not an authority." if text else "No authority is given.",
        "authority",
        "Use 'ledger:/absolute/path/authority.db' or 'offline' (variable aims_license_server_authority).",
    )


def ledger_path(authority: str | None) -> str:
    """Return the path of the ledger that an authority's address names, or refuse any other kind of authority."""
    text = check_authority(authority)
    if text == OFFLINE:
        raise refuse("'offline' names no ledger.", "authority", "Give 'ledger:/absolute/path/authority.db'.")
    return text[len(LEDGER) :]


def open_channel(
    authority: str | None,
    open_ledger: Callable[[str], Channel],
    responses: Mapping[str, bytes] | None = None,
    folder: str = "",
) -> Channel:
    """Return the channel to an authority.

    :param open_ledger: what opens the ledger at a path (given by the floor above, which knows the authority's side)
    :param responses: for ``offline``, the response files at hand by license number
    :param folder: for messages, where these were found
    """
    text = check_authority(authority)
    return OfflineFiles(responses or {}, folder) if text == OFFLINE else open_ledger(ledger_path(text))
