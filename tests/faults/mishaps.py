# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people, mail and file systems do to files between two steps: on a document's way, and on the disks of a world.

No failpoint makes these: the files are whole, and are not what was written, or not where.
"""

from __future__ import annotations

import json
import os
import quopri
import re
import shutil
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from faults.model import HOME
from faults.world import World


@dataclass(frozen=True)
class Mail:
    """What becomes of a request or a response on its way.

    :ivar change: the document's bytes → the bytes that arrive
    :ivar rename: the response's name → the name that it is saved under
    :ivar same: whether it is the same document to everybody, so that the call ends as without it; else it may be
        refused, with nothing decided
    """

    name: str
    change: Callable[[bytes], bytes] | None = None
    rename: Callable[[str], str] = str
    same: bool = True

    def on(self, leg: str) -> Callable[[str, str, bytes], tuple[str, bytes]]:
        """Return what the mail does, to requests only or to responses only."""

        def arrive(kind: str, name: str, content: bytes) -> tuple[str, bytes]:
            if kind != leg:
                return name, content
            return self.rename(name), self.change(content) if self.change else content

        return arrive

    def correct(self, world: World) -> None:
        """Do what the person does who is told of a wrong name: nothing lies under it any more."""
        for file in (world.folder / "requests").glob("*"):
            if file.is_file() and not re.fullmatch(r"\d{12}\.(request|response)", file.name):
                file.unlink()


def _indented(data: bytes) -> bytes:
    return json.dumps(json.loads(data), indent=2).encode() + b"\n"


def _wrapped(data: bytes) -> bytes:
    return "\r\n".join(textwrap.wrap(data.decode(), 76, break_on_hyphens=False)).encode()


def _upper_hex(data: bytes) -> bytes:
    whole = json.loads(data)
    mark = "id" if "id" in whole["body"] else "request_id"
    whole["body"][mark] = whole["body"][mark].upper()
    return json.dumps(whole).encode()


MAILS = (
    Mail("line ends of another system", lambda data: data.replace(b"\n", b"\r\n")),
    Mail("a byte order mark", lambda data: b"\xef\xbb\xbf" + data),
    Mail("no final newline", bytes.rstrip),
    Mail("blank lines around", lambda data: b"\r\n\n" + data + b"\r\n \n"),
    Mail("indented by an editor", _indented),
    Mail("wrapped at 76 columns", _wrapped, same=False),
    Mail("upper-case hex", _upper_hex, same=False),
    Mail("saved as UTF-16", lambda data: data.decode().encode("utf-16"), same=False),
    Mail("quoted-printable", quopri.encodestring, same=False),
    Mail("half of it", lambda data: data[: len(data) // 2], same=False),
    Mail("saved as .response.txt", rename=lambda name: f"{name}.txt", same=False),
    Mail("saved as a second download", rename=lambda name: name.replace(".response", " (1).response"), same=False),
    Mail("saved in capitals", rename=str.upper, same=False),
)


@dataclass(frozen=True)
class Mishap:
    """What befalls the files of a world between a call that was cut off and the same call again.

    :ivar act: does it
    :ivar undo: what the person does who is told of it; the files are then as they were
    :ivar harmless: whether the next call ends as if nothing had befallen them; else it may refuse in words first
    :ivar alters: whether a backup holds what it did
    :ivar forgives: the checks that hold no longer, by the first word of what they say: what is lost is lost
    """

    name: str
    act: Callable[[World, World, str], None]
    undo: Callable[[World, str], None] = lambda world, host: None
    harmless: bool = True
    alters: bool = False
    forgives: tuple[str, ...] = ()


def _lose_requests(world: World, start: World, host: str) -> None:
    shutil.rmtree(world.folder / "requests", ignore_errors=True)


def _lose_bundles(world: World, start: World, host: str) -> None:
    shutil.rmtree(world.folder / "bundles", ignore_errors=True)


def _follow_links(world: World, start: World, host: str) -> None:
    """What ``cp -rL`` makes of the bundles: the newest one is a folder of its own."""
    bundles, copy = world.folder / "bundles", world.folder / "copy"
    shutil.copytree(bundles, copy, symlinks=False)
    shutil.rmtree(bundles)
    copy.rename(bundles)


def _litter(world: World, start: World, host: str) -> None:
    """What editors, file managers and backups leave beside a file."""
    for folder in _folders(world, host):
        files = _files(folder)
        for name in _LEFT:
            (folder / name).write_bytes(b"\0")
        for file in files:
            for form in _COPIES:
                shutil.copy2(file, folder / form.format(name=file.name, stem=file.stem, suffix=file.suffix))


def _tidy(world: World, host: str) -> None:
    for base in (world.folder / host / HOME, world.folder / "requests"):
        for place in base.rglob("*"):
            if place.is_file() and (place.name in _LEFT or _COPY.search(place.name)):
                place.unlink()


_LEFT = (".DS_Store", "Thumbs.db")
_COPIES = ("{name}~", ".{name}.swp", "{stem} (copy){suffix}", "{name}.bak")
_COPY = re.compile(r"~$|\.swp$| \(copy\)|\.bak$")


def _touch(world: World, start: World, host: str) -> None:
    """What a restore without times does: everything is equally old."""
    for file in [file for folder in _folders(world, host) for file in _files(folder)]:
        os.utime(file, (1_000_000_000, 1_000_000_000))


def _convert(world: World, start: World, host: str) -> None:
    """What a copy through another system does to documents: line ends and a mark of its own."""
    for file in _documents(world, host):
        file.write_bytes(_MARK + file.read_bytes().replace(b"\n", b"\r\n"))


def _convert_back(world: World, host: str) -> None:
    for file in _documents(world, host):
        file.write_bytes(file.read_bytes().removeprefix(_MARK).replace(b"\r\n", b"\n"))


_MARK = b"\xef\xbb\xbf"


def _documents(world: World, host: str) -> list[Path]:
    home = world.folder / host / HOME
    patterns = ("Licenses/*.lic", "Journal/**/*.request", "Journal/**/*.response")
    return [file for pattern in patterns for file in sorted(home.glob(pattern))]


def _restore(world: World, start: World, host: str) -> None:
    """Put the home back as it was when the call began."""
    home = world.folder / host / HOME
    shutil.rmtree(home, ignore_errors=True)
    if (start.folder / host / HOME).exists():
        shutil.copytree(start.folder / host / HOME, home, symlinks=True)


def _folders(world: World, host: str) -> Iterator[Path]:
    home = world.folder / host / HOME
    folders = [home / name for name in ("Config", "Licenses", "Nodelocks", "Journal")]
    yield from (folder for folder in [*folders, world.folder / "requests"] if folder.is_dir())


def _files(folder: Path) -> list[Path]:
    # A copy of a private key is a secret of the person's own making, which the checks for secrets would find.
    return [file for file in sorted(folder.iterdir()) if file.is_file() and "key" not in file.name]


EVERYWHERE = (
    Mishap("files left beside", _litter, _tidy, harmless=False),
    Mishap("the times of a restore", _touch),
    Mishap("documents with other line ends", _convert, _convert_back, harmless=False, alters=True),
    Mishap("a home restored from before", _restore, forgives=("I3", "I5", "not as")),
)
REQUESTS = (
    Mishap("the controller starts without requests", _lose_requests, forgives=("not as without a fault: requests",)),
)
BUNDLES = (
    Mishap("the controller starts without bundles", _lose_bundles, forgives=("I6",)),
    Mishap("bundles copied without links", _follow_links),
)
