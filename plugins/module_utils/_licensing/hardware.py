# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the machine's hardware identifiers, raw and normalized.

Normalized values leave out values that do not identify the machine: placeholders of the firmware, addresses that a bond
shares with its cards, addresses of virtual functions, and addresses set by software.
"""

from __future__ import annotations

import array
import fcntl
import re
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

SYS = Path("/sys")
BY_UUID = Path("/dev/disk/by-uuid")
_SIOCETHTOOL, _GPERMADDR, _MAX_ADDRESS = 0x8946, 0x20, 32
# NET_ADDR_RANDOM: a random address of the kernel, different after each boot.
_RANDOM = "1"
# The network card of Hyper-V and Azure. A virtual function with the same address may appear beside it.
_SYNTHETIC = "hv_netvsc"
_UUIDS = {"03000200-0400-0500-0006-000700080009", "12345678-1234-5678-90ab-cddeefaabbcc"}
_FILLERS = re.compile(
    r"n/?\.?a\.?|none|null|empty|unknown|invalid|oem|default( string)?|undefined|(to be )?filled by o\.?e\.?m\.?|"
    r"not (specified|applicable|available|present|settable|defined|set)|type2 - board serial number|"
    r"((system|base ?board|board|chassis|motherboard|mb) ?)?(serial( ?(number|no\.?|num))?|s/?n)|"
    r"0?123456789(0|abcdef)?"
)
# The placeholders that earlier versions ignored.
_FORMER_FILLERS = {"none", "not specified", "to be filled by o.e.m.", "default string", "0"}


@dataclass(frozen=True)
class Reading:
    """The reading of one component.

    :ivar value: the normalized value; None if nothing identifies the machine
    :ivar former: the values of earlier versions, if they differ
    """

    value: str | None
    former: tuple[str, ...] = ()


def text(path: Path) -> str | None:
    """Return a file's stripped text; None if it is empty or unreadable."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def product_uuid() -> Reading:
    """Read the UUID of the machine or virtual machine."""
    raw = text(SYS / "class/dmi/id/product_uuid")
    return _reading(None if raw is None or is_filler(raw) or raw.lower() in _UUIDS else raw.lower(), raw)


def board_serial() -> Reading:
    """Read the serial number of the board."""
    raw = text(SYS / "class/dmi/id/board_serial")
    value = None if raw is None or is_filler(raw) else " ".join(raw.split())
    return _reading(value, None if raw is None or raw.lower() in _FORMER_FILLERS else raw)


def is_filler(raw: str) -> bool:
    """Whether a firmware field is a placeholder."""
    normal = " ".join(raw.lower().split())
    letters = set(re.sub(r"[\W_]", "", normal))
    # One repeated character, such as 0, F, X or a dot.
    return len(letters) <= 1 or _FILLERS.fullmatch(normal) is not None


def mac_addresses() -> Reading:
    """Read the permanent addresses of the physical network cards."""
    try:
        cards = [card for card in sorted((SYS / "class/net").iterdir()) if (card / "device").exists()]
    except OSError:
        return Reading(None)
    current = [address for card in cards if (address := text(card / "address")) and _is_address(address)]
    own = sorted({address for card in cards if (address := _own_address(card))})
    former = [",".join(sorted(current))]
    doubled = {address for card in cards if _driver(card) == _SYNTHETIC and (address := text(card / "address"))}
    if doubled:
        # The value of earlier versions in the presence of virtual functions.
        former.append(",".join(sorted([*set(current), *doubled])))
    return _reading(",".join(own) or None, *former)


def _own_address(card: Path) -> str | None:
    """Return a card's permanent address; None if its address is random."""
    permanent = text(card / "bonding_slave/perm_hwaddr") or _permanent(card.name)
    if permanent is not None and _is_address(permanent):
        return permanent.lower()
    address = text(card / "address")
    made_up = text(card / "addr_assign_type") == _RANDOM
    return address.lower() if address and _is_address(address) and not made_up else None


def _is_address(address: str) -> bool:
    return bool(set(address) - set("0:"))


def _driver(card: Path) -> str:
    return (card / "device/driver").resolve().name


def _permanent(name: str) -> str | None:
    """Ask the kernel for a card's permanent address. Needs no rights."""
    answer = array.array("B", struct.pack(f"II{_MAX_ADDRESS}s", _GPERMADDR, _MAX_ADDRESS, b""))
    request = struct.pack("16sP16x", name.encode()[:15], answer.buffer_info()[0])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asking:
            fcntl.ioctl(asking, _SIOCETHTOOL, request)
    except OSError:
        return None
    (size,) = struct.unpack_from("I", answer, 4)
    return ":".join(f"{byte:02x}" for byte in answer[8 : 8 + min(size, _MAX_ADDRESS)]) or None


def root_disk() -> Reading:
    """Read the UUID of the root file system."""
    try:
        device = Path("/").stat().st_dev
        for link in sorted(BY_UUID.iterdir()):
            if link.stat().st_rdev == device:
                return Reading(link.name)
    except OSError:
        return Reading(None)
    return Reading(None)


def _reading(value: str | None, *former: str | None) -> Reading:
    return Reading(value, tuple(dict.fromkeys(form for form in former if form and form != value)))
