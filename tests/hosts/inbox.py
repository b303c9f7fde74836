# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mail server on the controller that keeps what it is handed."""

from __future__ import annotations

import email
import email.policy
import socket
from typing import Any

from aiosmtpd.controller import Controller


class Inbox(Controller):
    """Takes mails on a free port of an address.

    :ivar attachments: the files that came, in their order
    :ivar recipients: whom the mails were for
    """

    def __init__(self, address: str) -> None:
        self.attachments: list[bytes] = []
        self.recipients: list[str] = []
        with socket.socket() as probe:
            probe.bind((address, 0))
            port = probe.getsockname()[1]
        super().__init__(self, hostname=address, port=port)

    def __enter__(self) -> Inbox:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.recipients += envelope.rcpt_tos
        self.attachments += [part.get_payload(decode=True) for part in message.iter_attachments()]
        return "250 taken"
