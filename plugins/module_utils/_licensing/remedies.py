# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of the vendor's programs that are known, each with what to do (docs/domain.md#known-messages). Pure.

The runbook lists them all. An error that repeats what a program or a log says explains those that it recognizes.
"""

from __future__ import annotations

import re

from .errors import Problem, quoted

# What may be an activation code, however it is divided: in a log nobody knows which.
_CODE = re.compile(r"[A-Za-z0-9]{5,6}(?:[^A-Za-z0-9]{1,3}[A-Za-z0-9]{5,6}){4}|[A-Za-z0-9]{25,}")

REMEDIES = (
    (
        "Update failed. The nodelock file is readonly",
        "Clear the read-only attribute of the .lock file in Nodelocks and repeat. If that does not help, deactivate "
        "the license, delete its files in Licenses and Nodelocks, then activate it again.",
    ),
    (
        "This license can only be activated using a personal nodelock",
        "This is an academic license, which is not for a server. Check the license number, and ask the vendor.",
    ),
    ("No valid License installed yet", "This is right for a new server. Go on with the first license."),
    (
        "Unable to Start the service",
        "After maintenance mode, choose Maintenance > Start the Service.",
    ),
    (
        "Error, Pending Activation",
        "A request is open. Load its response (Press Activate to Finish). Cancel it only if nothing was uploaded: "
        "Pending Status Info... > Interrupt Sequence > Yes.",
    ),
    (
        "Too many retries for starting",
        "PRO got no server license, or did not reach the license server. Check its connection strings, and that each "
        "node reaches port 3400.",
    ),
    ("There are no free seats available", "All seats are in use. Have sessions ended, or wait."),
    (
        "Logging on to AIMMS License Server failed: No logon response from server.",
        "The client did not reach the license server. Check address, port 3400 and firewall.",
    ),
)


def explain(text: str) -> str:
    """Return what to do about each known message in a text, as sentences with a blank at the end; "" if none is known.

    A message is recognized by its longest sentence, whatever lies between its words and letters.
    """
    return "".join(f"The message '{message.rstrip('.')}' is known: {todo} " for message, todo in _known_in(text))


def _known_in(text: str) -> list[tuple[str, str]]:
    said = _squash(text)
    return [(message, todo) for message, todo in REMEDIES if _squash(_main_sentence(message)) in said]


def symptoms_in(log: bytes, where: str) -> dict[str, Problem]:
    """Return each known message of a log with what to do, and the last line that has it.

    :param log: in any encoding; Windows programs may write UTF-16
    :param where: the log's place, for messages
    """
    text = log.replace(b"\0", b"").decode("utf-8", "replace")
    lines = text.splitlines()
    return {message: Problem(_seen(message, lines), where, todo) for message, todo in _known_in(text)}


def _seen(message: str, lines: list[str]) -> str:
    words = _squash(_main_sentence(message))
    line = next((line for line in reversed(lines) if words in _squash(line)), "")
    last = f", at last in {quoted(_CODE.sub('…', line.strip()))}" if line else ""
    return f"The log has the message '{message.rstrip('.')}'{last}."


def _main_sentence(message: str) -> str:
    return max(re.split(r"[.:] ", message), key=len)


def _squash(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()
