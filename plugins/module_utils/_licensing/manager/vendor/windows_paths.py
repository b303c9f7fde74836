# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Paths of a Windows host as its command prompt, its file transfer and a tree write them.

A path here is absolute, on a drive, with backslashes: ``C:\ProgramData\AIMMS``. Names of a tree are relative, with
slashes.
"""

from __future__ import annotations

import re

from ...errors import LicensingError, hint, quoted, refuse

# Windows' MAX_PATH is 260 with a zero byte at the end, and a folder has to leave room for a short name. cmd's own
# commands do not see what lies beyond, whatever form a path has.
LONGEST, LONGEST_FOLDER = 259, 247
_DRIVE = re.compile(r"[A-Za-z]:(?=[\\/]|$)")
# What no name on Windows contains; wildcards are among them, which would name other files.
_NEVER = re.compile(r'[\x00-\x1f"<>|*?:]')
# What cmd replaces even within quotes: %NAME%, and !NAME! where delayed expansion is switched on.
_EXPANDED = re.compile(r"%[^%]+%|![^!]+!")
# What cmd gives a meaning outside of quotes.
_SPECIAL = re.compile(r'("[^"]*")|([&|<>()^])')


def parse_path(value: object, where: str) -> str:
    r"""Return an absolute path such as ``C:\ProgramData\AIMMS``, from one that has slashes or backslashes.

    :param where: the option or file that has the path, for messages
    :raises LicensingError: it is not a path on a drive, or has a name that Windows or cmd cannot take
    """
    if not isinstance(value, str) or not _DRIVE.match(value):
        raise refuse(
            f"{quoted(value)} is not a path on a drive of a Windows host.",
            where,
            f"Write the whole path with its drive, such as C:\\ProgramData\\AIMMS.{hint(value)}",
        )
    drive, *names = [name for name in re.split(r"[\\/]+", value) if name]
    for name in names:
        _require_name(name, value, where)
    path = "\\".join([drive.upper(), *names]) if names else f"{drive.upper()}\\"
    if len(path) > LONGEST:
        raise refuse(
            f"The path has {len(path)} characters, and the command prompt takes {LONGEST}: {quoted(path)}.",
            where,
            "Rename a folder in it on the host so that it is shorter.",
        )
    if _EXPANDED.search(path):
        raise _inexpressible(path, where)
    return path


def join(folder: str, name: str, where: str) -> str:
    """Return the path of a name of a tree that begins at a folder.

    :raises LicensingError: the name leads out of the folder, or is none that Windows or cmd can take
    """
    if not name or name.startswith(("/", "\\")):
        raise refuse(f"{quoted(name)} leads out of the folder.", where, "Use names as listed.")
    return parse_path(f"{folder}\\{name}", where)


def name_below(path: str, folder: str) -> str | None:
    """Return the name with slashes of a path below a folder; None where it does not lie there.

    Windows does not distinguish upper and lower case, and a listing may begin with another case than was asked for.
    """
    above = folder.rstrip("\\") + "\\"
    # Case folding may change a text's length.
    if path[: len(above)].casefold() != above.casefold() or len(path) == len(above):
        return None
    return path[len(above) :].replace("\\", "/")


def quote(path: str) -> str:
    """Return an argument in the quotes that cmd and a program's start both understand.

    Within quotes, cmd leaves blanks, ``&``, ``^``, ``(`` and a single ``%`` or ``!`` alone.

    :raises LicensingError: it cannot be quoted: it has quotes, control characters, or a name of a variable in ``%``
    """
    if re.search(r'[\x00-\x1f"]', path) or _EXPANDED.search(path):
        raise _inexpressible(path, "command")
    # A program takes a backslash before the closing quote for part of an escaped quote.
    ending = len(path) - len(path.rstrip("\\"))
    return f'"{path}{chr(92) * ending}"'


def nest(line: str) -> str:
    """Return a command line so that it reaches a second cmd unchanged, through the one that runs it.

    :param line: with quotes in pairs
    """
    return _SPECIAL.sub(lambda match: match[1] or f"^{match[2]}", line)


def to_transfer(path: str) -> str:
    """Return a path as OpenSSH's file transfer on Windows writes it, ``/C:/ProgramData/AIMMS``."""
    return "/" + path.replace("\\", "/")


def from_transfer(path: str) -> str:
    """Return the Windows path of one of the file transfer."""
    return parse_path(path.removeprefix("/"), "file transfer")


def _require_name(name: str, value: str, where: str) -> None:
    # The second holds for the names of a folder itself and of the one above, too.
    if _NEVER.search(name) or name.endswith((" ", ".")):
        raise refuse(
            f"{quoted(value)} has the name {quoted(name)}, which is none of a file on Windows.",
            where,
            f"Write the path without '..', wildcards and quotes, as the Explorer shows it.{hint(value)}",
        )


def _inexpressible(text: str, where: str) -> LicensingError:
    return refuse(
        f"{quoted(text)} cannot be written so that the command prompt leaves it as it is.",
        where,
        "Rename it on the host so that it has no quotes, and no two percent signs or exclamation marks.",
    )
