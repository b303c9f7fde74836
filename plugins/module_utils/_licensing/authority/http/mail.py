# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mails from the authority: written by the library that knows the form, sent by a thread of their own.

A mail is taken or refused at once; how many wait is bounded, and how often each is tried. What waits when the service
ends is tried once more and then dropped: every response can be downloaded, and had again by the same upload.
"""

from __future__ import annotations

import heapq
import re
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from ...addresses import parse_host, parse_host_and_port
from ...errors import LicensingError, refuse, shown
from ...http import tls_context
from ...model import now_utc
from .web import LOG

_WAITING = 100
_TIMEOUT = 30.0
# Seconds before the second and each further attempt; a server that greylists wants some minutes.
_PAUSES = (5.0, 60.0, 300.0, 900.0)
_GRACE = 5.0
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")


def check_email(text: str, where: str) -> str:
    """Return an e-mail address (ASCII, no display name), or refuse."""
    address = text.strip()
    local, at, domain = address.rpartition("@")
    try:
        # What begins like an encoded word is one to some versions of the library, which then writes what it encodes.
        if not at or len(address) > 254 or not _LOCAL.match(local) or len(local) > 64 or "=?" in local:
            raise ValueError("local part")
        if parse_host(domain) != domain.lower() or ":" in domain or domain[-1:].isdigit():
            raise ValueError("domain")
    except (ValueError, LicensingError):
        told = "".join(letter for letter in address[:80] if letter.isprintable())
        raise refuse(f"{told!r} is not an e-mail address.", where, "Write it as name@example.com.") from None
    return address


@dataclass(frozen=True)
class MailServer:
    """Where mails are handed over.

    :ivar starttls: whether to hand over encrypted only, to a server whose certificate the system trusts
    :ivar sender: the address that they come from
    """

    host: str
    port: int
    sender: str
    starttls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def read_server(
    smtp: str, sender: str, starttls: bool = False, user: str | None = None, password: str | None = None
) -> MailServer:
    """Return the mail server that ``HOST[:PORT]`` names, or refuse.

    :param smtp: the port is 25, or 587 with STARTTLS, unless given; an IPv6 address stands in brackets
    """
    try:
        host, port = parse_host_and_port(smtp, 587 if starttls else 25, "--smtp")
    except ValueError:
        named = re.sub(r".*@", "…@", smtp)
        raise refuse(f"{shown(named)} is not a mail server.", "--smtp", "Write it as mail.example.com:25.") from None
    if user is not None and not starttls:
        raise refuse("A password is not sent unencrypted.", "--smtp-user", "Add --smtp-starttls.")
    if (user is None) != (password is None):
        todo = "Give --smtp-user and --smtp-password-file, or neither."
        raise refuse("The mail server's user and password belong together.", "--smtp-user", todo)
    if not f"{user}{password}".isascii():
        todo = "Give the service a user whose name and password are ASCII."
        raise refuse("Only ASCII can be sent as a mail server's user and password.", "--smtp-user", todo)
    return MailServer(host, port, check_email(sender, "--mail-from"), starttls, user, password)


@dataclass(order=True)
class _Mail:
    due: float
    number: int
    attempts: int = field(compare=False)
    to: str = field(compare=False)
    message: EmailMessage = field(compare=False)


class Outbox:
    """Sends mails; without a mail server it takes none.

    :ivar counts: of mails by what became of them: ``sent``, ``retried``, ``dropped``, ``refused``
    """

    def __init__(self, server: MailServer | None, pauses: Sequence[float] = _PAUSES) -> None:
        self._server = server
        self._pauses = tuple(pauses)
        self._mails: list[_Mail] = []
        self._changed = threading.Condition()
        self._number = 0
        self._ends: float | None = None
        self._sending = False
        self.counts: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._work, name="mail", daemon=True)
        if server is not None:
            self._thread.start()

    @property
    def is_open(self) -> bool:
        """Whether mails are sent at all."""
        return self._server is not None

    def post(self, to: str, subject: str, text: str, files: Sequence[tuple[str, bytes]]) -> bool:
        """Take a mail to be sent; say whether there was room for it.

        :param to: an address that :func:`check_email` returned
        :param files: ``(name, content)`` to attach
        """
        if self._server is None:
            return False
        message = _compose(self._server.sender, to, subject, text, files)
        with self._changed:
            if self._ends is not None or len(self._mails) + self._sending >= _WAITING:
                self.counts["refused"] += 1
                return False
            self._number += 1
            heapq.heappush(self._mails, _Mail(time.monotonic(), self._number, 0, to, message))
            self._changed.notify()
        return True

    def close(self) -> None:
        """Try what waits once more, within bounds, and end."""
        if self._server is None:
            return
        with self._changed:
            self._ends = time.monotonic() + _GRACE
            self._changed.notify()
        self._thread.join(_GRACE)
        left = len(self._mails) + self._sending
        if left:
            LOG.warning("%d mails were not sent; their responses can be had by the same upload again", left)

    def _work(self) -> None:
        while True:
            with self._changed:
                mail = self._next()
                if mail is None:
                    return
                self._sending = True
            again = self._attempt(mail)
            with self._changed:
                self._sending = False
                if again is not None and self._ends is None:
                    heapq.heappush(self._mails, again)

    def _next(self) -> _Mail | None:
        """Wait for the next mail that is due; None at the end."""
        while True:
            now = time.monotonic()
            if self._ends is not None:
                return heapq.heappop(self._mails) if self._mails and now < self._ends else None
            if self._mails and self._mails[0].due <= now:
                return heapq.heappop(self._mails)
            self._changed.wait(self._mails[0].due - now if self._mails else None)

    def _attempt(self, mail: _Mail) -> _Mail | None:
        """Hand a mail over; return it where it is to be tried again."""
        try:
            self._hand_over(mail)
        except (OSError, smtplib.SMTPException, MessageError, ValueError) as error:
            # The address is not told: the journal is not the place to keep who asked for what.
            reason = _reason(error)
            if _is_final(error) or mail.attempts >= len(self._pauses):
                self.counts["dropped"] += 1
                LOG.warning("a mail was dropped: %s", reason)
                return None
            self.counts["retried"] += 1
            LOG.warning("a mail could not be sent and is tried again: %s", reason)
            due = time.monotonic() + self._pauses[mail.attempts]
            return _Mail(due, mail.number, mail.attempts + 1, mail.to, mail.message)
        self.counts["sent"] += 1
        return None

    def _hand_over(self, mail: _Mail) -> None:
        server = self._server
        if server is None:
            return
        with smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT) as connection:
            if server.starttls:
                connection.starttls(context=tls_context())
            if server.user is not None and server.password is not None:
                connection.login(server.user, server.password)
            # No header says who gets the mail.
            connection.send_message(mail.message, server.sender, [mail.to])


def _compose(sender: str, to: str, subject: str, text: str, files: Sequence[tuple[str, bytes]]) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    # The library refuses line ends in headers; addresses are given in parts, so that nothing of one is taken for more.
    for header, address in (("From", sender), ("To", to)):
        local, _at, domain = address.rpartition("@")
        message[header] = Address(username=local, domain=domain)
    message["Subject"] = subject
    message["Date"] = format_datetime(now_utc())
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    # No automatic answers to an automatic mail (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    for name, content in files:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message


def _is_final(error: Exception) -> bool:
    """Whether the mail server has refused for good (RFC 5321, 4.2.1)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _words in error.recipients.values())
    return isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"the recipient was refused with {', '.join(str(code) for code, _words in error.recipients.values())}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server said {error.smtp_code}"
    return getattr(error, "strerror", None) or type(error).__name__
