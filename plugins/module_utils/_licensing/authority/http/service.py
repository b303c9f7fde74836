# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the authority as an HTTPS service, in the foreground, until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import ssl
import sys
import time
from dataclasses import dataclass

from ...addresses import parse_ip
from ...errors import refuse
from ...model import now_utc
from ...terminal import notify
from ..certificates import Certificates
from ..ledger import Ledger
from .api import Api
from .guard import Guard
from .ledger_worker import LedgerWorker
from .mail import Mailer, MailServer
from .page import ANSWER_SECONDS, Page
from .web import LOG, Front

_RENEWAL_SECONDS = 24 * 3600
# Seconds for open calls at the end. systemd waits a little longer (TimeoutStopSec).
_GRACE = ANSWER_SECONDS + 1.0


@dataclass(frozen=True)
class Settings:
    """The settings of the service.

    :ivar ledger: path of the ledger
    :ivar listen: the IP address to listen on; empty for all addresses
    :ivar port: the port; 0 selects a free port and logs it
    :ivar hosts: additional names for the certificate
    :ivar mail: the mail server; None to send no mails
    :ivar stop_after: seconds after which to stop; None for never
    """

    ledger: str
    listen: str = ""
    port: int = 8443
    hosts: tuple[str, ...] = ()
    mail: MailServer | None = None
    stop_after: float | None = None


def serve(settings: Settings) -> None:
    """Serve until SIGTERM, SIGINT or ``stop_after``.

    :raises LicensingError: the service cannot start
    """
    _log_to_stderr()
    if not 0 <= settings.port < 65536:
        raise refuse(f"{settings.port} is not a port.", "--port", "Use 1 to 65535.")
    with Ledger(settings.ledger) as ledger:
        realm = ledger.realm
    certificates = Certificates(settings.ledger)
    if certificates.make(realm.name, settings.hosts, now_utc()):
        LOG.info("made a certificate for %s", ", ".join(certificates.hosts()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificates.load(context)
    asyncio.run(_run(settings, certificates, context))


async def _run(settings: Settings, certificates: Certificates, context: ssl.SSLContext) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    guard = Guard()
    worker = LedgerWorker(settings.ledger, guard)
    mailer = Mailer(settings.mail)
    api = Api(worker, guard, mailer)
    front = Front({**Page(worker, mailer).routes(), **api.routes()}, guard.admit)
    api.connections = lambda: (len(front.places), front.places.evicted)
    server = front.server(context)
    try:
        await worker.open()
        sockets = _sockets(settings.listen, settings.port)
        server.add_sockets(sockets)
        port = sockets[0].getsockname()[1]
        LOG.info("serving realm %s on %s port %d", worker.realm.name, settings.listen or "all addresses", port)
        notify("READY=1")
        renewing = asyncio.ensure_future(_renew(certificates, worker.realm.name, settings.hosts, context))
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), settings.stop_after)
        notify("STOPPING=1")
        renewing.cancel()
        server.stop()
        await front.drained(_GRACE)
        await server.close_all_connections()
    finally:
        await worker.close()
    LOG.info("ended")


def _sockets(address: str, port: int) -> list[socket.socket]:
    from tornado.netutil import bind_sockets

    where = f"{address or 'all addresses'} port {port}"
    try:
        return bind_sockets(port, parse_ip(address, "--listen") if address else None)
    except OSError as error:
        todo = {
            errno.EADDRINUSE: f"Find its user with 'ss -ltnp sport = :{port}', or choose another --port.",
            errno.EACCES: "Ports below 1024 need CAP_NET_BIND_SERVICE. Use a higher port, such as 8443.",
        }.get(error.errno or 0, "Use an address of this machine for --listen.")
        raise refuse(f"Cannot listen: {error.strerror or error}.", where, todo) from None


async def _renew(certificates: Certificates, name: str, hosts: tuple[str, ...], context: ssl.SSLContext) -> None:
    while True:
        await asyncio.sleep(_RENEWAL_SECONDS)
        try:
            if certificates.make(name, hosts, now_utc()):
                certificates.load(context)
                LOG.info("renewed the certificate for %s", ", ".join(certificates.hosts()))
        except Exception:
            # The certificate is valid for up to 30 more days; retry tomorrow.
            LOG.exception("the certificate could not be renewed")


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    # The framework logs invalid input of any client, which would fill the journal.
    for name in ("tornado.general", "tornado.access"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in ("tornado.application", "asyncio"):
        logging.getLogger(name).addHandler(handler)
