# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends the request page's mails to the configured mail server.

The page's answer waits for the mail server for a limited time and shows the result. There is no queue and no retry:
retries are the mail server's job, every response can be downloaded, and the same upload gets it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import smtplib
import ssl
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
from ...errors import LicensingError, quoted, refuse
from ...http import tls_context
from ...model import now_utc
from .web import LOG

# Maximum of mails that are sent at the same time, each in a thread.
_AT_ONCE = 16
# Seconds by which a thread's timeout exceeds the wait for it, so that the wait ends first.
_MARGIN = 1.0
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")


def check_email(text: str, where: str) -> str:
    """Return an e-mail address (ASCII, without display name). Refuse an invalid one."""
    address = text.strip()
    local, at, domain = address.rpartition("@")
    try:
        # Some versions of the email library decode text that looks like an encoded word.
        if not at or len(address) > 254 or not _LOCAL.match(local) or len(local) > 64 or "=?" in local:
            raise ValueError("local part")
        if parse_host(domain) != domain.lower() or ":" in domain or domain[-1:].isdigit():
            raise ValueError("domain")
    except (ValueError, LicensingError):
        quoted = "".join(letter for letter in address[:80] if letter.isprintable())
        raise refuse(f"{quoted!r} is not an e-mail address.", where, "Write it as name@example.com.") from None
    return address


@dataclass(frozen=True)
class MailServer:
    """The mail server that mails are sent to.

    :ivar starttls: whether to require TLS with a certificate that the system trusts
    :ivar sender: the sender's address
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
    """Read the options for the mail server. Refuse invalid ones.

    :param smtp: ``HOST[:PORT]``; the default port is 25, with STARTTLS 587; an IPv6 address is in brackets
    """
    try:
        host, port = parse_host_and_port(smtp, 587 if starttls else 25, "--smtp")
    except ValueError:
        named = re.sub(r".*@", "…@", smtp)
        raise refuse(f"{quoted(named)} is not a mail server.", "--smtp", "Write it as mail.example.com:25.") from None
    if user is not None and not starttls:
        raise refuse("A password must not be sent unencrypted.", "--smtp-user", "Add --smtp-starttls.")
    if (user is None) != (password is None):
        todo = "Use both --smtp-user and --smtp-password-file, or neither."
        raise refuse("The mail server's user and password belong together.", "--smtp-user", todo)
    if not f"{user}{password}".isascii():
        todo = "Use a mail account whose name and password are ASCII."
        raise refuse("The mail server's user and password must be ASCII.", "--smtp-user", todo)
    return MailServer(host, port, check_email(sender, "--mail-from"), starttls, user, password)


@dataclass(frozen=True)
class Mail:
    """A mail to send.

    :ivar to: an address that :func:`check_email` returned
    :ivar files: attachments, ``(name, content)``
    """

    to: str
    subject: str
    text: str
    files: Sequence[tuple[str, bytes]] = ()


class NotSent(Exception):
    """The mail server did not accept a mail. The text is the reason, for the page's user."""


class Mailer:
    """Sends mails, if a mail server is configured.

    :ivar counts: number of mails by outcome: ``sent``, ``failed``
    """

    def __init__(self, server: MailServer | None) -> None:
        self._server = server
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        self.counts: Counter[str] = Counter()

    @property
    def is_open(self) -> bool:
        """Whether a mail server is configured."""
        return self._server is not None

    async def send(self, mail: Mail, seconds: float) -> None:
        """Send a mail, off the event loop. Return when the mail server has accepted it.

        :param seconds: maximum time to wait
        :raises NotSent: the mail server did not accept the mail in time
        """
        error = await self._outcome(mail, seconds)
        if error is None:
            self.counts["sent"] += 1
            return
        self.counts["failed"] += 1
        # The recipient is not logged, for privacy.
        LOG.warning("a mail was not sent: %s", _reason(error))
        raise NotSent(_words(error))

    async def _outcome(self, mail: Mail, seconds: float) -> Exception | None:
        """Send a mail. Return the error, or None."""
        if self._server is None:
            return ConnectionError("there is no mail server")
        if seconds <= 0 or not self._places.acquire(blocking=False):
            return TimeoutError("there was no time for it")
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Exception | None] = loop.create_future()
        handover = _Handover(self._server, mail, time.monotonic() + seconds + _MARGIN)

        def settle(error: Exception | None) -> None:
            if not outcome.done():
                outcome.set_result(error)

        def work() -> None:
            try:
                error = handover.run()
                # The loop is closed if the service has ended in the meantime.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(settle, error)
                handover.close()
            finally:
                self._places.release()

        try:
            # A daemon thread, so that a hanging mail server does not keep the service from stopping.
            threading.Thread(target=work, name="mail", daemon=True).start()
        except RuntimeError as error:
            self._places.release()
            return error
        try:
            return await asyncio.wait_for(outcome, seconds)
        except asyncio.TimeoutError:
            return TimeoutError("the mail server took too long")


class _Handover:
    """The SMTP session of one mail; runs in a thread.

    :param until: the deadline, by the monotonic clock
    """

    def __init__(self, server: MailServer, mail: Mail, until: float) -> None:
        self._server = server
        self._mail = mail
        self._until = until
        self._connection: smtplib.SMTP | None = None

    def run(self) -> Exception | None:
        """Send the mail. Return the error, or None."""
        try:
            self._hand_over()
        except (OSError, smtplib.SMTPException, MessageError, ValueError) as error:
            return error
        return None

    def close(self) -> None:
        """Close the session. Errors do not matter: the mail is already accepted or refused."""
        if self._connection is not None:
            with contextlib.suppress(OSError, ValueError):
                self._connection.quit()
            self._connection.close()

    def _hand_over(self) -> None:
        server = self._server
        message = _compose(server.sender, self._mail)
        self._connection = connection = smtplib.SMTP(server.host, server.port, timeout=self._left())
        if server.starttls:
            self._limit(connection)
            connection.starttls(context=tls_context())
        if server.user is not None and server.password is not None:
            self._limit(connection)
            connection.login(server.user, server.password)
        self._limit(connection)
        # The envelope's recipient is explicit, so no header can change it.
        connection.send_message(message, server.sender, [self._mail.to])

    def _limit(self, connection: smtplib.SMTP) -> None:
        """Limit the next step to the remaining time."""
        left = self._left()
        if connection.sock is not None:
            connection.sock.settimeout(left)

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the mail server took too long")
        return left


def _compose(sender: str, mail: Mail) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    # The library refuses line ends in headers. Addresses are passed in parts, so that none is parsed as several.
    for header, address in (("From", sender), ("To", mail.to)):
        local, _at, domain = address.rpartition("@")
        message[header] = Address(username=local, domain=domain)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(now_utc())
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    # No automatic answers to an automatic mail (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    for name, content in mail.files:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message


def _words(error: Exception) -> str:
    """Return why a mail was not sent, for the page's user, without details of the mail server."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "the mail server refused the address"
    if isinstance(error, (ssl.SSLError, smtplib.SMTPNotSupportedError)):
        return "there is no safe connection to the mail server"
    if isinstance(error, TimeoutError):
        return "the mail server did not take it in time"
    if isinstance(error, OSError) and not isinstance(error, smtplib.SMTPResponseException):
        return "the mail server cannot be reached"
    return "the mail server did not accept it"


def _reason(error: Exception) -> str:
    """Return why a mail was not sent, for the journal."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"the recipient was refused with {', '.join(str(code) for code, _words in error.recipients.values())}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server said {error.smtp_code}"
    if isinstance(error, TimeoutError):
        return str(error) or "the mail server took too long"
    return getattr(error, "strerror", None) or type(error).__name__
