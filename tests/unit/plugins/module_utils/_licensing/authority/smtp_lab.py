# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real mail server in the test's own process, which keeps what it is given."""

from __future__ import annotations

import ssl
import time
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class _Server(Controller):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.sessions: list[SMTP] = []

    def factory(self) -> SMTP:
        session = super().factory()
        self.sessions.append(session)
        return session

    def _trigger_server(self) -> None:
        # The library tries its server at the port that it was told; which one is free is known only now.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class MailServer:
    """Takes mails on a free port of the loopback; use as a context manager.

    :param tls: makes it take nothing before STARTTLS
    :param login: user and password that it wants
    :ivar refusals: answers to give to the next recipients instead of taking them
    """

    def __init__(self, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None) -> None:
        self.envelopes: list[tuple[str, list[str]]] = []
        self.messages: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.refusals: list[str] = []
        options: dict[str, Any] = {}
        if tls is not None:
            options = {"tls_context": tls, "require_starttls": True}
        if login is not None:
            known = LoginPassword(login[0].encode(), login[1].encode())
            options["auth_required"] = True
            options["authenticator"] = lambda server, session, envelope, mechanism, data: AuthResult(
                success=data == known, handled=False
            )
        self._controller = _Server(self, hostname="127.0.0.1", port=0, **options)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._controller.port}"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        self.raw.append(bytes(envelope.content))
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 OK"

    def __enter__(self) -> MailServer:
        self._controller.start()
        return self

    def __exit__(self, *exception: object) -> None:
        # The service takes leave once it has told of the mail; what is open when the server stops, Python warns of.
        until = time.monotonic() + 10
        while any(session.transport is not None for session in self._controller.sessions) and time.monotonic() < until:
            time.sleep(0.02)
        self._controller.stop()


def attachments(message: EmailMessage) -> dict[str, bytes]:
    """The files of a mail by name."""
    return {str(part.get_filename()): part.get_payload(decode=True) for part in message.iter_attachments()}


def words(message: EmailMessage) -> str:
    """The text of a mail."""
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())
