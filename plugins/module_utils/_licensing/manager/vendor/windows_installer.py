# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Windows Installer is called with, and what its exit codes and its log mean.

The codes are those of Windows itself, as Microsoft documents them; none is the vendor's.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence

from ...errors import LicensingError, redact, refuse
from ...remedies import explain
from .windows_paths import quote

RESTART_REQUIRED = 3010
_DONE = (0, RESTART_REQUIRED)
# Code → what it means, what to do.
_FAILURES: Mapping[int, tuple[str, str]] = {
    5: ("access is denied", "Log on as a member of Administrators."),
    740: ("the rights of an administrator are needed", "Log on as a member of Administrators."),
    1601: ("the service Windows Installer cannot be reached", "Start that service, or restart the host."),
    1602: ("somebody cancelled it on the host", "Agree with whoever works on that host, then run this again."),
    1603: (
        "the installation failed",
        "Mend what the lines of its log say; rights, a port in use and space come first.",
    ),
    1618: (
        "another installation is under way",
        "Wait until it has ended, such as an update of Windows; run this again.",
    ),
    1619: ("the package cannot be opened", "Check its path, and that the user may read it."),
    1620: ("the file is no package", "Get the package again from the vendor; its download may have been cut off."),
    1622: ("the log cannot be written", "Let the user write to the folder of temporary files."),
    1625: ("a policy of the host forbids it", "Ask the host's administrators to allow the package."),
    1633: ("the package is for other hardware", "Get the package for this version of Windows."),
    1638: ("another version is installed", "Remove that version in the settings of Windows first, or keep it."),
    1639: ("the command is wrong for this version of the Windows Installer", "Install the package by hand."),
    1641: ("the host restarts by itself, in spite of /norestart", "Wait until it is back, then run this again."),
}
_OTHER = "Mend what the lines of its log say, or install the package by hand."
# Lines of a log that name the cause, in English, German, French and Japanese; other languages have the numbers alone.
_CAUSE = re.compile(
    r"\b(?:Error|Fehler|Erreur) \d{4,5}\b|エラー ?\d{4,5}|(?:Return value|Rückgabewert|Valeur renvoyée|戻り値) 3\b"
)
_MOST_LINES, _LONGEST_LINE = 5, 200


def install_command(package: str, log: str) -> str:
    """Return the command that installs a package without a window and without a restart.

    The switches are the Windows Installer's own; which properties the vendor's package has is not public.

    :param package, log: paths on the host, without exclamation marks
    """
    return f'start "" /wait msiexec /i {quote(package)} /qn /norestart /l*v {quote(log)}'


def check_exit(code: int, log: bytes, where: str) -> bool:
    """Refuse the exit code of an installation that failed; return whether the host has to be restarted.

    :param log: as the Windows Installer wrote it; empty where there is none
    :raises LicensingError: with the meaning of the code, and the lines of the log that name the cause
    """
    if code in _DONE:
        return code == RESTART_REQUIRED
    meaning, todo = _FAILURES.get(code, ("Windows gives it no name here", _OTHER))
    lines = "".join(f" {line}" for line in causes(log))
    raise _failed(code, meaning, f" Its log says:{lines}" if lines else "", where, f"{explain(decode_log(log))}{todo}")


def _failed(code: int, meaning: str, lines: str, where: str, todo: str) -> LicensingError:
    return refuse(f"The Windows Installer ended with {code}: {meaning}.{lines}", where, todo)


def causes(log: bytes) -> Sequence[str]:
    """Return the lines of a log that name why an installation failed, without activation codes."""
    found: list[str] = []
    lines = [line.strip() for line in decode_log(log).splitlines() if line.strip()]
    for at, line in enumerate(lines):
        if _CAUSE.search(line):
            # What failed stands before its return value.
            for text in lines[max(0, at - 1) : at + 1]:
                short = redact(text)[:_LONGEST_LINE]
                if short not in found:
                    found.append(short)
    return found[:_MOST_LINES]


def decode_log(log: bytes) -> str:
    """Return the text of a log: UTF-16 as Windows writes it, or what else it is as far as it can be read."""
    if log.startswith(codecs.BOM_UTF16_LE):
        return log[2:].decode("utf-16-le", errors="replace")
    if b"\0" in log[:100]:
        return log.decode("utf-16-le", errors="replace")
    return log.decode("utf-8", errors="replace")
