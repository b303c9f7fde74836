# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fingerprint of a machine: one hash per component, so that a report can name the changed component.

The salt is fixed for this product, as in systemd's app-specific machine ids. So hashes of two hosts can be compared,
survive a re-installation, and are useless for other products.

Earlier versions hashed the raw hardware values. If a raw value differs from the normalized one (`hardware.py`), the
fingerprint also has the raw value's hash, under the component's name with ``-then``, so that old activations still
match their machine. Two fingerprints of the current version are compared by the current hashes only.
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

from . import hardware
from .errors import refuse
from .system import advice, reason

_SALT = b"aims.licensing fingerprint 1"
MACHINE_ID = "machine-id"
COMPONENTS = (MACHINE_ID, "product-uuid", "board-serial", "mac-addresses", "root-disk")
_THEN = "-then"
_FORMS = 2
# Marks a fingerprint of the current version. An authority accepts at most ten entries in a fingerprint.
_READING, _READ = "reading", f"{2:032x}"
# All entries that a fingerprint may have.
NAMES = frozenset(COMPONENTS) | {
    _READING,
    f"product-uuid{_THEN}",
    f"board-serial{_THEN}",
    f"mac-addresses{_THEN}",
    f"mac-addresses{_THEN}-2",
}

SAME = "same"
DRIFTED = "drifted"
CLONED = "cloned"
OTHER = "other"


# The meaning of a verdict for a license that was activated here.
MEANINGS = {
    SAME: "Nothing has changed.",
    DRIFTED: "It counts as the same machine, because all other components agree. One more change would end that.",
    CLONED: "The machine-id is the same on other hardware: this is a copy of the machine that holds the license.",
    OTHER: "By its components, this is another machine than the one that holds the license.",
}


@dataclass(frozen=True)
class Comparison:
    """The comparison of two fingerprints.

    :ivar verdict: ``same``, ``drifted`` (same machine, one component changed), ``cloned`` (other hardware, same
        machine-id) or ``other``
    :ivar changed: the components that differ, of those that both have
    """

    verdict: str
    changed: tuple[str, ...]

    @property
    def is_same_machine(self) -> bool:
        return self.verdict in (SAME, DRIFTED)


def compare(first: Mapping[str, str], second: Mapping[str, str]) -> Comparison:
    """Compare two fingerprints by the components that both have.

    One component may differ if at least two others agree, because renamed network cards, resized machines and kernel
    updates change components (docs/domain.md#fingerprints-and-copies). The machine-id alone decides if nothing else is
    known.
    """
    agreed = {name: agreement for name in COMPONENTS if (agreement := _agree(name, first, second)) is not None}
    both = list(agreed)
    changed = tuple(name for name in both if not agreed[name])
    agreeing = len(both) - len(changed)
    if agreeing and not changed:
        return Comparison(SAME, ())
    if len(changed) == 1 and agreeing >= 2:
        return Comparison(DRIFTED, changed)
    if MACHINE_ID in both and MACHINE_ID not in changed:
        return Comparison(CLONED, changed)
    return Comparison(OTHER, changed)


def _agree(name: str, first: Mapping[str, str], second: Mapping[str, str]) -> bool | None:
    """Whether two fingerprints agree in a component; None if it cannot be compared."""
    if _READING in first and _READING in second:
        return first[name] == second[name] if name in first and name in second else None
    if name in first and name in second:
        return (
            first[name] == second[name] or first[name] in _former(name, second) or second[name] in _former(name, first)
        )
    # The current version ignores placeholders. An earlier version may have hashed one; it agrees with itself.
    known, former = (
        (first.get(name), _former(name, second)) if name in first else (second.get(name), _former(name, first))
    )
    return known in former if known is not None and former else None


def _former(name: str, fingerprint: Mapping[str, str]) -> list[str]:
    """Return the hashes of a component by earlier versions, if they differ."""
    return [value for key, value in fingerprint.items() if key.startswith(f"{name}{_THEN}")]


def in_words(then: Mapping[str, str], now: Mapping[str, str], changed: Iterable[str]) -> str:
    """Describe changed components, each with the first digits of its old and new hash."""
    return ", ".join(f"{name} ({_digits(name, then)} then, {_digits(name, now)} now)" for name in changed)


def _digits(name: str, fingerprint: Mapping[str, str]) -> str:
    return next((value[:8] for value in [fingerprint.get(name), *_former(name, fingerprint)] if value), "none")


def read_fingerprint(root: str = "") -> dict[str, str]:
    """Return the fingerprint of this machine, ``{component: 32 hex digits}``.

    :param root: an alternate root; then only its machine-id counts. In a container, too, only the machine-id counts,
        because the hardware is the host's.
    :raises LicensingError: the machine-id is missing, invalid or unreadable
    """
    base = Path(root or "/")
    # A link out of the alternate root would give it this machine's identity.
    inside = Path(os.path.realpath(base / "etc/machine-id")).is_relative_to(os.path.realpath(base))
    machine_id = _machine_id(base / "etc/machine-id") if inside else None
    # For systemd, an id of zeros is no id.
    if machine_id is None or not re.fullmatch(r"(?!0{32})[0-9a-f]{32}", machine_id):
        raise refuse(
            "There is no valid machine-id.",
            str(base / "etc/machine-id"),
            f"Create a machine-id, as root: {new_machine_id(root)}",
        )
    fingerprint = {MACHINE_ID: _hash(MACHINE_ID, machine_id)}
    if root or _in_container():
        return fingerprint
    fingerprint[_READING] = _READ
    readings = (hardware.product_uuid, hardware.board_serial, hardware.mac_addresses, hardware.root_disk)
    for name, read in zip(COMPONENTS[1:], readings):
        reading = read()
        if reading.value:
            fingerprint[name] = _hash(name, reading.value)
        for at, former in enumerate(reading.former[:_FORMS], 1):
            fingerprint[f"{name}{_THEN}{'' if at == 1 else f'-{at}'}"] = _hash(name, former)
    return fingerprint


def new_machine_id(root: str = "") -> str:
    """Return the shell command that gives a machine, or an alternate root, a new machine-id.

    systemd-machine-id-setup could restore the old id: from D-Bus, or from a hypervisor or container manager, which may
    have been cloned too. If a file is mounted over /etc/machine-id, the command writes to it.
    """
    file, of_dbus = (shlex.quote(f"{root}/{name}") for name in ("etc/machine-id", "var/lib/dbus/machine-id"))
    return f"rm -f {file} {of_dbus}; tr -d - </proc/sys/kernel/random/uuid >{file} && chmod 444 {file}"


def fingerprint_of(machine_id: str) -> dict[str, str]:
    """Return the fingerprint of a machine that shows only its machine-id, such as the MachineGuid of Windows."""
    return {MACHINE_ID: _hash(MACHINE_ID, machine_id)}


def _hash(name: str, value: str) -> str:
    return hmac.new(_SALT, f"{name}\0{value}".encode(), hashlib.sha256).hexdigest()[:32]


def _machine_id(place: Path) -> str | None:
    try:
        return place.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP):
            return None
        # It exists but is unreadable. A new machine-id would turn this into another machine.
        raise refuse(f"The machine-id cannot be read: {reason(error)}.", str(place), advice(error)) from error


def _in_container() -> bool:
    if Path("/run/systemd/container").exists() or Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return True
    # systemd and podman set this variable for a container's first process.
    return bool(os.environ.get("container"))  # noqa: SIM112 - the variable is lower-case
