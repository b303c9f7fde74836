# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity of a machine: one hash per component, so that a change can be named.

The salt is fixed for this product, as in systemd's app-specific machine ids: the hashes of two hosts can be compared,
they stay the same over a re-installation, and they are of no use to other products.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import refuse
from .system import advice, reason

_SALT = b"aims.licensing fingerprint 1"
MACHINE_ID = "machine-id"
COMPONENTS = (MACHINE_ID, "product-uuid", "board-serial", "mac-addresses", "root-disk")

SAME = "same"
DRIFTED = "drifted"
CLONED = "cloned"
OTHER = "other"


# What a verdict means for a license that was activated here.
MEANINGS = {
    SAME: "Nothing has changed.",
    DRIFTED: "It counts as the same machine, as all else agrees; with one more component changed it would not.",
    CLONED: "The machine-id is the same on other hardware: this is a copy of the machine that holds the license.",
    OTHER: "By its components this is another machine than the one that holds the license.",
}


@dataclass(frozen=True)
class Comparison:
    """What two fingerprints say of each other.

    :ivar verdict: ``same``, ``drifted`` (same machine, one component changed), ``cloned`` (other hardware, same
        machine-id) or ``other``
    :ivar changed: the components that both have and that differ
    """

    verdict: str
    changed: tuple[str, ...]

    @property
    def is_same_machine(self) -> bool:
        return self.verdict in (SAME, DRIFTED)


def compare(one: Mapping[str, str], two: Mapping[str, str]) -> Comparison:
    """Compare two fingerprints by the components that both have.

    One component may drift if at least two others agree: DOMAIN.md lists NIC renames, resizes and kernel updates as
    what makes fingerprints drift. The machine-id alone decides where nothing else is known.
    """
    both = [name for name in COMPONENTS if name in one and name in two]
    changed = tuple(name for name in both if one[name] != two[name])
    agreeing = len(both) - len(changed)
    if agreeing and not changed:
        return Comparison(SAME, ())
    if len(changed) == 1 and agreeing >= 2:
        return Comparison(DRIFTED, changed)
    if MACHINE_ID in both and MACHINE_ID not in changed:
        return Comparison(CLONED, changed)
    return Comparison(OTHER, changed)


def in_words(then: Mapping[str, str], now: Mapping[str, str], changed: Iterable[str]) -> str:
    """Name components that differ, each with the first digits of its hash then and now."""
    return ", ".join(f"{name} ({then[name][:8]} then, {now[name][:8]} now)" for name in changed)


def read_fingerprint(root: str = "") -> dict[str, str]:
    """Return ``{component: 32 hex digits}`` of this machine, or of what an alternate root holds.

    :param root: an alternate root; then only its own files count, that is its machine-id. The same holds in a
        container, where the hardware is the host's.
    :raises LicensingError: there is no machine-id.
    """
    base = Path(root or "/")
    # A link out of an alternate root would lend it the identity of this machine.
    inside = Path(os.path.realpath(base / "etc/machine-id")).is_relative_to(os.path.realpath(base))
    machine_id = _machine_id(base / "etc/machine-id") if inside else None
    # systemd takes the id of zeros for none
    if machine_id is None or not re.fullmatch(r"(?!0{32})[0-9a-f]{32}", machine_id):
        raise refuse(
            "There is no valid machine-id.",
            str(base / "etc/machine-id"),
            f"Make one, as root: {new_machine_id(root)}",
        )
    values: dict[str, str | None] = {MACHINE_ID: machine_id}
    if not root and not _in_container():
        dmi = Path("/sys/class/dmi/id")
        values["product-uuid"] = _text(dmi / "product_uuid")
        values["board-serial"] = _serial(_text(dmi / "board_serial"))
        values["mac-addresses"] = _physical_macs()
        values["root-disk"] = _root_disk()
    return {name: _hash(name, value) for name, value in values.items() if value}


def new_machine_id(root: str = "") -> str:
    """Return the command that gives a machine, or an alternate root, a machine-id of its own.

    systemd-machine-id-setup would take the old one again: from D-Bus, where that keeps it in a file, or from what a
    hypervisor or container manager says, which may have been cloned too. What is mounted over the file is written to.
    """
    file, of_dbus = (shlex.quote(f"{root}/{name}") for name in ("etc/machine-id", "var/lib/dbus/machine-id"))
    return f"rm -f {file} {of_dbus}; tr -d - </proc/sys/kernel/random/uuid >{file} && chmod 444 {file}"


def _hash(name: str, value: str) -> str:
    return hmac.new(_SALT, f"{name}\0{value}".encode(), hashlib.sha256).hexdigest()[:32]


def _machine_id(place: Path) -> str | None:
    try:
        return place.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP):
            return None
        # One that cannot be read is there: another one would make this another machine.
        raise refuse(f"The machine-id cannot be read: {reason(error)}.", str(place), advice(error)) from error


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _serial(text: str | None) -> str | None:
    # Boards without a serial number report one of these; they identify nothing.
    empty = {"none", "not specified", "to be filled by o.e.m.", "default string", "0"}
    return None if text is None or text.lower() in empty else text


def _in_container() -> bool:
    if Path("/run/systemd/container").exists() or Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return True
    # systemd and podman name the container's kind to its first process.
    return bool(os.environ.get("container"))  # noqa: SIM112 - the variable is lower-case


def _physical_macs() -> str | None:
    found = []
    try:
        cards = sorted(Path("/sys/class/net").iterdir())
    except OSError:
        return None
    for card in cards:
        if (card / "device").exists():
            address = _text(card / "address")
            if address and address != "00:00:00:00:00:00":
                found.append(address)
    return ",".join(sorted(found)) or None


def _root_disk() -> str | None:
    try:
        device = Path("/").stat().st_dev
        for link in sorted(Path("/dev/disk/by-uuid").iterdir()):
            if link.stat().st_rdev == device:
                return link.name
    except OSError:
        return None
    return None
