# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of the vendor's programs that are known, each with what to do (docs/domain.md#known-messages). Pure.

The runbook lists them all. An error that repeats what a program or a log says explains those that it recognizes.
"""

from __future__ import annotations

import re

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
    said = _squash(text)
    known = [(message, todo) for message, todo in REMEDIES if _squash(_main_sentence(message)) in said]
    return "".join(f"The message '{message.rstrip('.')}' is known: {todo} " for message, todo in known)


def _main_sentence(message: str) -> str:
    return max(re.split(r"[.:] ", message), key=len)


def _squash(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()
