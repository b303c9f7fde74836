# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity of a machine: one hash per component, so that a change can be named.

The salt is fixed for this product, as in systemd's app-specific machine ids: the hashes of two hosts can be compared,
they stay the same over a re-installation, and they are of no use to other products.

Earlier versions hashed what the hardware says as it is written there. Where that differs from what tells the machine
from others (`hardware.py`), a fingerprint has their hashes too, under the component's name with ``-then``: a license
that was activated with such a hash stays with its machine. Two fingerprints of today are compared by today's hashes
alone.
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
# Marks what was read as `hardware.py` reads it. An authority takes ten entries of a fingerprint.
_READING, _READ = "reading", f"{2:032x}"
# Everything that a fingerprint may have.
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

    One component may drift if at least two others agree: renamed cards, resized machines and kernel updates change
    components (docs/domain.md#fingerprints-and-copies). The machine-id alone decides where nothing else is known.
    """
    agreed = {name: agreement for name in COMPONENTS if (agreement := _agree(name, one, two)) is not None}
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


def _agree(name: str, one: Mapping[str, str], two: Mapping[str, str]) -> bool | None:
    """Whether two fingerprints agree in a component; None where one of them has nothing to compare."""
    if _READING in one and _READING in two:
        return one[name] == two[name] if name in one and name in two else None
    if name in one and name in two:
        return one[name] == two[name] or one[name] in _former(name, two) or two[name] in _former(name, one)
    # A placeholder says nothing; one that an earlier version took for an identity agrees with itself.
    known, former = (one.get(name), _former(name, two)) if name in one else (two.get(name), _former(name, one))
    return known in former if known is not None and former else None


def _former(name: str, fingerprint: Mapping[str, str]) -> list[str]:
    """The hashes that earlier versions had of a component, where they are others."""
    return [value for key, value in fingerprint.items() if key.startswith(f"{name}{_THEN}")]


def in_words(then: Mapping[str, str], now: Mapping[str, str], changed: Iterable[str]) -> str:
    """Name components that differ, each with the first digits of its hash then and now."""
    return ", ".join(f"{name} ({_digits(name, then)} then, {_digits(name, now)} now)" for name in changed)


def _digits(name: str, fingerprint: Mapping[str, str]) -> str:
    return next((value[:8] for value in [fingerprint.get(name), *_former(name, fingerprint)] if value), "none")


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
    found = {MACHINE_ID: _hash(MACHINE_ID, machine_id)}
    if root or _in_container():
        return found
    found[_READING] = _READ
    readings = (hardware.product_uuid, hardware.board_serial, hardware.mac_addresses, hardware.root_disk)
    for name, read in zip(COMPONENTS[1:], readings):
        reading = read()
        if reading.value:
            found[name] = _hash(name, reading.value)
        for at, former in enumerate(reading.former[:_FORMS], 1):
            found[f"{name}{_THEN}{'' if at == 1 else f'-{at}'}"] = _hash(name, former)
    return found


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


def _in_container() -> bool:
    if Path("/run/systemd/container").exists() or Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return True
    # systemd and podman name the container's kind to its first process.
    return bool(os.environ.get("container"))  # noqa: SIM112 - the variable is lower-case
