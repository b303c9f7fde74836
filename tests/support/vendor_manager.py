# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the vendor's license manager on Windows, and for the authority behind it, from documented facts alone.

A person's click is a call here, and what the click leaves is a file of the documented name (docs/domain.md). The two
refuse what the documents say is wrong: a deactivation outside maintenance mode, an activation of a license that another
computer still holds, and a wrong code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from support.vendor_tree import put, stem

PROTECTION, MACHINE, ONLINE, OFFLINE = "Activation code", "Machine nodelock", "Online", "Offline"
ACTIVATE, DEACTIVATE = "activate", "deactivate"


class Refused(AssertionError):
    """The vendor's product refuses what a person does: the runbook is wrong, or it came too early."""


class VendorAuthority:
    """Counts which computer holds each license.

    :ivar holders: the computer that holds a license, by number; a license that no computer holds is missing
    :ivar transfers: how often a license was activated on another computer than the last
    """

    def __init__(self, codes: Mapping[str, str], holder: str) -> None:
        self._codes = codes
        self.holders = dict.fromkeys(codes, holder)
        self._last = dict(self.holders)
        self.transfers: Counter[str] = Counter()

    def activate(self, number: str, host: str, code: str | None = None) -> None:
        """Count an activation; of one that was made by a command, only its effect is known and no code."""
        if code is not None and code != self._codes[number]:
            raise Refused(f"The activation code of {number} is wrong.")
        if self.holders.get(number, host) != host:
            raise Refused(f"{self.holders[number]} still holds license {number}, so that {host} cannot activate it.")
        self.holders[number] = host
        if self._last[number] != host:
            self.transfers[number] += 1
            self._last[number] = host

    def deactivate(self, number: str, host: str) -> None:
        if self.holders.get(number) != host:
            raise Refused(f"{host} does not hold license {number}.")
        del self.holders[number]


class RequestPage:
    """The vendor's page that answers a request file with a response file (docs/domain.md#request-page).

    :ivar processed: the requests that it has answered
    """

    def __init__(self, authority: VendorAuthority) -> None:
        self._authority = authority
        self.processed: list[str] = []

    def process(self, request: bytes, email: str) -> bytes:
        """Answer a request; from here on the authority counts it, whether the response is loaded or not."""
        action, number, host, code = request.decode().split()
        if "an address" not in email or f"{action} {number} {host}" in self.processed:
            raise Refused(f"A second request to {action} {number} on {host}, or no e-mail address.")
        self.processed.append(f"{action} {number} {host}")
        if action == ACTIVATE:
            self._authority.activate(number, host, code)
        else:
            self._authority.deactivate(number, host)
        return f"response to {action} {number} on {host}".encode()


def request_of(action: str, number: str, host: str, code: str = "-") -> bytes:
    """The content of a request file. Its form is not public: only the stand-ins read it."""
    return f"{action} {number} {host} {code}".encode()


def require_response(response: bytes, action: str, number: str, host: str) -> None:
    if response.decode() != f"response to {action} {number} on {host}":
        raise Refused(f"This is no response for {number} on {host}: {response!r}")


class Manager:
    """The license manager of a Windows host.

    :param data: its data folder, where it is on this machine
    :param keeps_nodelocks: a deactivation changes the nodelock instead of removing it; both are possible, as no
        document says which (docs/domain.md#reset-after-a-nodelock-error)
    :ivar is_running: whether the service runs
    :ivar profiles: the license of each profile, by name
    :ivar ticks: whether Default is ticked, by license, in the order that was set
    :ivar pending: the request of each license that waits for its response
    :ivar users: the registered users of each license
    """

    def __init__(self, host: str, data: Path, authority: VendorAuthority, *, keeps_nodelocks: bool = False) -> None:
        self.host, self.data = host, data
        self._authority = authority
        self._keeps_nodelocks = keeps_nodelocks
        self.is_in_maintenance = False
        self.is_running = True
        self.profiles: dict[str, str] = {}
        self.ticks: dict[str, bool] = {}
        self.pending: dict[str, bytes] = {}
        self.users: dict[str, list[str]] = {}

    def enter_maintenance(self) -> None:
        self.is_in_maintenance = True

    def leave_maintenance(self) -> None:
        """The service starts by itself then, as is documented."""
        self.is_in_maintenance, self.is_running = False, True

    def stop_service(self) -> None:
        if self.is_in_maintenance:
            raise Refused("Stop the Service is greyed in maintenance mode.")
        self.is_running = False

    def deactivate(self, number: str, method: str = ONLINE) -> bytes:
        """Go through the wizard of a deactivation; return the request file with which it ends offline."""
        if not self.is_in_maintenance:
            raise Refused(f"{self.host} is not in maintenance mode.")
        lock = self.data / "Nodelocks" / f"{stem(number)}.lock"
        if not lock.stat().st_mode & 0o200:
            raise Refused("Update failed. The nodelock file is readonly")
        if method == OFFLINE:
            return self._ask(request_of(DEACTIVATE, number, self.host), number)
        self._authority.deactivate(number, self.host)
        self._give_back(lock, number)
        return b""

    def _ask(self, request: bytes, number: str) -> bytes:
        if number in self.pending:
            raise Refused(f"A request for {number} is pending.")
        self.pending[number] = request
        return request

    def _give_back(self, lock: Path, number: str) -> None:
        if self._keeps_nodelocks:
            lock.write_bytes(f"given back {number}\r\n".encode())
        else:
            lock.unlink()
            lock.with_suffix(".ver").unlink()

    def load(self, number: str, response: bytes, word: str) -> None:
        """End what is pending by its response: *Activate* does, where a license is pending activation."""
        request = self.pending.pop(number, b"")
        action = request.decode().partition(" ")[0]
        if word != {ACTIVATE: "Activate", DEACTIVATE: "Deactivate..."}.get(action):
            raise Refused(f"{word} loads nothing for {number}: '{action}' is pending.")
        require_response(response, action, number, self.host)
        if action == ACTIVATE:
            self._hold(number)
        else:
            self._give_back(self.data / "Nodelocks" / f"{stem(number)}.lock", number)

    def install_license(self, number: str, protection: str, code: str, nodelock: str, method: str) -> bytes:
        """Go through the pages of the License Install Wizard; return the request file with which it ends offline."""
        if (protection, nodelock) != (PROTECTION, MACHINE) or method not in (ONLINE, OFFLINE):
            raise Refused(f"The wizard offers no {protection}, {nodelock}, {method}.")
        if method == OFFLINE:
            return self._ask(request_of(ACTIVATE, number, self.host, code), number)
        self._authority.activate(number, self.host, code)
        self._hold(number)
        return b""

    def _hold(self, number: str) -> None:
        put(self.data, f"Licenses/{stem(number)}.lic", f"license {number}\r\n".encode())
        put(self.data, f"Nodelocks/{stem(number)}.lock", f"nodelock of {number} on {self.host}\r\n".encode())
        put(self.data, f"Nodelocks/{stem(number)}.ver", b"1\r\n")
        # The documents say no more of a new profile's name than that it is abstract.
        self.profiles[f"Profile {len(self.profiles) + 1}"] = number

    def rename_profile(self, name: str, number: str) -> None:
        """Give the profile of a license its name."""
        found = [former for former, license in self.profiles.items() if license == number]
        if len(found) != 1:
            raise Refused(f"{len(found)} profiles of {number}: {found}")
        self.profiles = {name if former == found[0] else former: license for former, license in self.profiles.items()}
