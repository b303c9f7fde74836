# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A license server's home on disk.

::

    .aims-licensing.json   marks the home as ours: product, format, home id
    Bin/                   the installed package and its commands
    Config/server.json     authority, realm, profiles in their order, users, maintenance mode, fenced licenses
    Config/host.key        the private key that signs this home's requests
    Config/carried.json    digests of the files that came with licenses from another host
    Licenses/N.lic         the signed license files
    Nodelocks/N.lock       the signed response that activated N here; N.ver has the digests of N.lic and N.lock
    Journal/               pending requests and their responses; closed/ keeps finished exchanges
    Seats/                 the seats that the running server has granted
    Logging/               the log of the running server
    ApplicationKeys/       private keys of published applications

The folder names are the vendor's (docs/domain.md#identifiers-and-files); the formats are our own.
"""

from __future__ import annotations

import json
import os
import shlex
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import PurePosixPath
from typing import Any

from .. import documents
from ..errors import LicensingError, Problem, quoted, refuse
from ..files import PRIVATE, PUBLIC, SHARED, Folder
from ..model import License, digits
from ..places import below
from .config import Config
from .nodelock import Installed, Nodelock, read_nodelock

MARKER = ".aims-licensing.json"
PRODUCT = "aims.licensing"
HOME_FORMAT = 1
CONFIG = "Config/server.json"
HOST_KEY = "Config/host.key"
CARRIED = "Config/carried.json"
PACKAGE = "Bin/package.json"
LOCK = ".lock"
DIRECTORIES = ("Bin", "Config", "Licenses", "Logging", "Nodelocks", "Journal", "Seats", "ApplicationKeys")
PRIVATE_DIRECTORIES = ("Config", "Journal", "Seats", "ApplicationKeys")
# The folders that the service's user writes to.
SERVICE_DIRECTORIES = ("Seats", "Logging")
# The lock file that this home's server holds while it runs.
SEATS_LOCK = "Seats/lock"
READ_DIRECTORIES = ("Config", "Journal", "Nodelocks")
_SECRET_PARTS = (HOST_KEY, "ApplicationKeys/")
_LEFT_OUT = ("Bin/", "Logging/", "Seats/", ".lock")

ABSENT = "absent"
OURS = "ours"
FOREIGN = "foreign"


class Home:
    """The home of one license server, possibly under an alternate root.

    :param home: its path as the server sees it
    :param root: the alternate root that contains it, or ""
    """

    def __init__(self, home: str, root: str = "") -> None:
        self.home = home
        self.root = root
        self.folder = Folder(below(root, home))

    @property
    def where(self) -> str:
        return str(self.folder.path)

    def state(self) -> str:
        """Whether the home is absent, ours or another product's (invariant I9)."""
        # Read first, because this also detects missing permissions.
        if self.folder.has(MARKER):
            self._read_marker()
            return OURS
        path = self.folder.path
        if not path.exists():
            return ABSENT
        if not path.is_dir():
            return FOREIGN
        try:
            entries = [entry.name for entry in path.iterdir()]
        except OSError as error:
            raise refuse(
                f"Cannot read the home: {error.strerror}.", self.where, "Run as the user that owns it (become: true)."
            ) from error
        left = [name for name in entries if not name.startswith(".tmp-") and name != ".lock"]
        return FOREIGN if left else ABSENT

    def _read_marker(self) -> Mapping[str, Any]:
        data = self._json(MARKER)
        if data.get("product") != PRODUCT:
            raise self._foreign()
        if data.get("format") != HOME_FORMAT:
            raise refuse(
                f"The home has format {quoted(data.get('format'))}. This version reads format {HOME_FORMAT}.",
                self.folder.place(MARKER),
                "Use the version of the collection that made it, or a newer one.",
            )
        return data

    def _foreign(self) -> LicensingError:
        return refuse(
            "The home belongs to another product: it has files but not our marker.",
            self.where,
            "Choose another home for the bundled license server, or set the backend that fits this home. If the files "
            f"were copied here from a bundled license server, move them away ({put_away(self.where)}).",
        )

    def require(self) -> None:
        """Refuse unless the home is ours."""
        state = self.state()
        if state == FOREIGN:
            raise self._foreign()
        if state == ABSENT:
            raise refuse(
                "No license server is installed here.",
                self.where,
                "Install it first (aims_license_server_install), or correct home and root.",
            )

    def create(self) -> None:
        """Create the home, or complete one whose creation was interrupted. The marker is written first."""
        if self.state() == FOREIGN:
            raise self._foreign()
        self.folder.make()
        if not self.folder.has(MARKER):
            marker = {"product": PRODUCT, "format": HOME_FORMAT, "home_id": uuid.uuid4().hex}
            self.folder.write(MARKER, _pretty(marker), PUBLIC)
        for directory in DIRECTORIES:
            private, fresh = directory in PRIVATE_DIRECTORIES, not self.folder.has(directory)
            self.folder.make(directory, 0o700 if private else 0o755)
            if private and fresh and (self.folder.mode(directory) or 0) & 0o077:
                raise refuse(
                    "This file system does not store file modes, so everybody could read the keys.",
                    self.folder.place(directory),
                    "Put the home on a file system that stores them, such as ext4, XFS or Btrfs.",
                )

    @property
    def home_id(self) -> str:
        """The random id of this home, set at its creation."""
        return str(self._read_marker().get("home_id"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the home. Refuse unless the home is ours."""
        self.require()
        with self.folder.locked():
            self.folder.sweep(without=SERVICE_DIRECTORIES)
            yield

    def held(self, dry: bool) -> AbstractContextManager[None]:
        """Return a context that holds the lock of the home; a dry run takes no lock."""
        return nullcontext() if dry else self.locked()

    def _json(self, name: str) -> Mapping[str, Any]:
        data = self.folder.read(name)
        try:
            parsed = json.loads(documents.text_of(data))
            # Text that cannot be encoded again, such as half a surrogate pair, was not written by us.
            json.dumps(parsed, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict):
            raise refuse(
                "The file is half-written or damaged.",
                self.folder.place(name),
                "Restore it from the newest bundle, then run this again.",
            )
        return parsed

    def config(self) -> Config:
        """Read the configuration. A home without configuration and licenses has an empty one."""
        if not self.folder.has(CONFIG) and not self.folder.names("Licenses", ".lic"):
            return Config()
        where = self.folder.place(CONFIG)
        try:
            return Config.from_dict(self._json(CONFIG), where)
        except (TypeError, ValueError, AttributeError):
            raise refuse(
                "The file is damaged.", where, "Restore it from the newest bundle, then run this again."
            ) from None

    def save(self, config: Config) -> None:
        self.folder.write(CONFIG, _pretty(config.as_dict()), SHARED)

    def package(self) -> Mapping[str, Any] | None:
        """Return ``{version, digest}`` of the installed package, or None."""
        if not self.folder.has(PACKAGE):
            return None
        package = self._json(PACKAGE)
        if not isinstance(package.get("version"), str) or not isinstance(package.get("digest"), str):
            raise refuse(
                "The description of the installed package is damaged.",
                self.folder.place(PACKAGE),
                "Remove this file and install the package again (aims_license_server_install).",
            )
        return package

    def unwritable(self) -> list[Problem]:
        """Return a problem if a folder or file that runs write to is not writable."""
        names = ("", "Config", "Journal", "Journal/closed", "Licenses", "Nodelocks", LOCK)
        places = [self.folder.path / name for name in names]
        refused = [
            str(place.relative_to(self.folder.path))
            for place in places
            if place.exists() and not os.access(place, os.W_OK | (os.X_OK if place.is_dir() else os.R_OK))
        ]
        todo = (
            "Run as the user that owns it (become: true), fix its permissions, or remount its file system read-write."
        )
        what = f"The license server's home is not writable: {', '.join(refused)}."
        return [Problem(what, self.where, todo)] if refused else []

    def host_key(self) -> bytes | None:
        """Return the private key of this home as PEM; None before the first activation."""
        return self.folder.find(HOST_KEY)

    def make_host_key(self) -> bytes:
        """Return the private key of this home as PEM; create it if it is missing."""
        key = self.host_key()
        if key is None:
            key = documents.new_private_key()
            self.folder.write(HOST_KEY, key, PRIVATE)
        return key

    def installed(self, unsettled: Mapping[str, Any]) -> dict[str, Installed]:
        """Return the installed licenses by number.

        :param unsettled: numbers with an open exchange; their nodelocks may be half-written and are not read
        :raises LicensingError: files are damaged or missing; lists all of them
        """
        installed: dict[str, Installed] = {}
        problems: list[Problem] = []
        for name in self.folder.names("Licenses", ".lic"):
            try:
                license = self._license(name)
                lock = None if license.number in unsettled else self._nodelock(license.number)
                installed[license.number] = Installed(license, lock)
            except LicensingError as error:
                problems.extend(error.problems)
        for name in self.folder.names("Nodelocks", ".lock"):
            if not self.folder.has(f"Licenses/{name[:-5]}.lic"):
                place = self.folder.place(f"Nodelocks/{name}")
                problems.append(
                    Problem("A nodelock has no license file.", place, "Restore Licenses/ from the newest bundle.")
                )
        open_stems = {digits(number) for number in unsettled}
        for name in self.folder.names("Nodelocks", ".ver"):
            # Two cases may leave only the .ver file: an interrupted deactivation, whose exchange is still open, and the
            # end of an emergency activation, whose license is fenced.
            left = name[:-4] not in open_stems and not self.folder.has(f"Nodelocks/{name[:-4]}.lock")
            if left and name[:-4] not in {digits(number) for number in self.config().fenced}:
                place = self.folder.place(f"Nodelocks/{name[:-4]}.lock")
                problems.append(
                    Problem(
                        "The nodelock is missing; only its digests are left.",
                        place,
                        "Restore it from the newest bundle.",
                    )
                )
        if problems:
            raise LicensingError(problems)
        return installed

    def _license(self, name: str) -> License:
        where = self.folder.place(f"Licenses/{name}")
        document = documents.read(self.folder.read(f"Licenses/{name}"), documents.LICENSE, where)
        license = License.from_dict(document.body, where)
        if name != f"{digits(license.number)}.lic":
            raise refuse(f"The file holds license {license.number}.", where, "Give the file the name of its license.")
        return license

    def _nodelock(self, number: str) -> Nodelock | None:
        stem = digits(number)
        data = self.folder.find(f"Nodelocks/{stem}.lock")
        if data is None:
            return None
        where = self.folder.place(f"Nodelocks/{stem}.lock")
        version = self._json(f"Nodelocks/{stem}.ver") if self.folder.has(f"Nodelocks/{stem}.ver") else {}
        license = self.folder.read(f"Licenses/{stem}.lic")
        # While a license file is being replaced, the digests also name the previous file.
        known = (version.get("lic"), version.get("before"))
        is_whole = documents.is_known(data, documents.RESPONSE, (version.get("lock"),))
        if not is_whole or not documents.is_known(license, documents.LICENSE, known):
            raise refuse(
                "The nodelock or its license file is half-written, or was changed after the activation.",
                where,
                "Restore Licenses/ and Nodelocks/ from the newest bundle, then run this again.",
            )
        return read_nodelock(documents.read(data, documents.RESPONSE, where))

    def put_license(self, number: str, license: bytes, nodelock: bytes) -> None:
        """Write license file, nodelock and their digests, in this order. Safe to repeat after a crash."""
        stem = digits(number)
        version = {"lock": documents.digest(nodelock), "lic": documents.digest(license)}
        self.folder.write(f"Licenses/{stem}.lic", license, PUBLIC)
        self.folder.write(f"Nodelocks/{stem}.lock", nodelock, SHARED)
        self.folder.write(f"Nodelocks/{stem}.ver", _pretty(version), PUBLIC)

    def replace_license(self, number: str, license: bytes) -> None:
        """Replace the license file of a nodelock. Safe to repeat after a crash.

        Digests and license file match before, between and after the writes, so the license is served throughout.
        """
        stem = digits(number)
        lock = self.folder.find(f"Nodelocks/{stem}.lock")
        now = self.folder.find(f"Licenses/{stem}.lic") or b""
        version = {"lock": documents.digest(lock or b""), "lic": documents.digest(license)}
        if lock is not None and now != license:
            between = {**version, "before": documents.digest(now)}
            self.folder.write(f"Nodelocks/{stem}.ver", _pretty(between), PUBLIC)
        if now != license:
            self.folder.write(f"Licenses/{stem}.lic", license, PUBLIC)
        if lock is not None and self.folder.find(f"Nodelocks/{stem}.ver") != _pretty(version):
            self.folder.write(f"Nodelocks/{stem}.ver", _pretty(version), PUBLIC)

    def drop_nodelock(self, number: str) -> None:
        """Remove the nodelock of a deactivated license. The license file stays, as *Inactive Nodelock*."""
        stem = digits(number)
        self.folder.remove(f"Nodelocks/{stem}.lock")
        self.folder.remove(f"Nodelocks/{stem}.ver")

    def state_files(self) -> list[str]:
        """Return the sorted names of all files that a bundle needs to rebuild this home."""
        return [name for name in self.folder.walk() if not name.startswith(_LEFT_OUT)]


def put_away(home: str, stop: bool = False) -> str:
    """Return the shell command that moves a copied home away. Nothing in it is lost.

    :param stop: whether to stop the home's systemd service first
    """
    command = f"mv {shlex.quote(home)} {shlex.quote(f'{home}.copy')}"
    return f"systemctl stop aims-license-server && {command}" if stop else command


def is_carried(name: str) -> bool:
    """Whether a file moves with the licenses (docs/domain.md#state-that-also-has-to-move)."""
    top, *rest = PurePosixPath(name).parts or ("",)
    if not rest or "/".join((top, *rest)) != name or ".." in rest or rest[-1].startswith(".tmp-"):
        return False
    return top == "ApplicationKeys" or (top == "Licenses" and name.lower().endswith(".cpx"))


def is_secret(name: str) -> bool:
    """Whether a file of the home is secret: it may leave the home only encrypted."""
    return name.startswith(_SECRET_PARTS)


def _pretty(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"
