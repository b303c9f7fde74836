# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a server does, the HTTPS channel sends the same bytes again, within bounds, and ends in plain words."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.certificates import Certificates
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import (
    check_authority,
    ledger_path,
    merged,
    open_channel,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.https import Https
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import SERVER

KEY = "A" * 43 + "="
REQUEST = b'{"a request": "of some length"}'
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
Act = Callable[[ssl.SSLSocket], None]


class Server:
    """A TLS server that treats its callers as it is told to, the last way again and again."""

    def __init__(self, folder: Path, *acts: bytes | Act) -> None:
        certificates = Certificates(str(folder / "authority.db"))
        certificates.make("fake", ["localhost"], now_utc())
        self.realm = Realm("fake", KEY, certificates.ca())
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificates.load(self._context)
        self._acts = list(acts)
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _peer = self._listener.accept()
                with line, contextlib.suppress(OSError), self._context.wrap_socket(line, server_side=True) as tls:
                    self._treat(tls)

    def _treat(self, tls: ssl.SSLSocket) -> None:
        received = b""
        while not received.endswith(REQUEST) and not (received[:4] == b"GET " and received.endswith(b"\r\n\r\n")):
            part = tls.recv(65536)
            if not part:
                return
            received += part
        self.requests.append(received[received.index(b"\r\n\r\n") + 4 :])
        act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
        if isinstance(act, bytes):
            tls.sendall(act)
        else:
            act(tls)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@contextlib.contextmanager
def serving(folder: Path, *acts: bytes | Act) -> Iterator[tuple[Server, Https, list[float]]]:
    """A server, a channel to it, and the seconds that the channel would have waited."""
    server = Server(folder, *acts)
    waited: list[float] = []
    try:
        channel = Https(f"https://localhost:{server.port}", server.realm, sleep=waited.append)
        yield server, channel, waited
    finally:
        server.close()


def reset(tls: ssl.SSLSocket) -> None:
    """Cut the connection as a crash does."""
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    tls.close()


def status(code: int, headers: str = "", body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {code} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


PASSING = {
    "reset": reset,
    "closed": b"",
    "cut in the status line": b"HTTP/1.",
    "cut in the headers": b"HTTP/1.1 200 OK\r\nContent-Le",
    "cut in the body": b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\ngood",
    "cut in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\ngood",
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "502": status(502),
    "503": status(503, "Retry-After: 1\r\n"),
    "429": status(429, "Retry-After: 3\r\n"),
}


@pytest.mark.parametrize("act", PASSING.values(), ids=PASSING.keys())
def test_what_passes_is_tried_again_with_the_very_same_bytes(tmp_path: Path, act: bytes | Act) -> None:
    with serving(tmp_path, act, act, GOOD) as (server, channel, waited):
        assert channel.exchange(SERVER, REQUEST) == b"good"
    assert server.requests == [REQUEST] * 3
    assert waited == ([3.0, 3.0] if act == PASSING["429"] else [1.0, 2.0])


@pytest.mark.parametrize("act", PASSING.values(), ids=PASSING.keys())
def test_what_does_not_pass_is_given_up_after_a_few_attempts(tmp_path: Path, act: bytes | Act) -> None:
    with serving(tmp_path, act) as (server, channel, waited), pytest.raises(LicensingError) as refused:
        channel.exchange(SERVER, REQUEST)
    assert len(server.requests) == 4 and len(waited) == 3
    (problem,) = refused.value.problems
    assert "run the same command again" in problem.todo.lower()
    assert problem.where == f"https://localhost:{server.port}"
    unknown = "It is unknown whether the authority processed it" in problem.what
    assert unknown == (act not in (PASSING["429"], PASSING["503"]))


def test_a_long_time_to_wait_is_not_waited_for(tmp_path: Path) -> None:
    with (
        serving(tmp_path, status(429, "Retry-After: 600\r\n")) as (server, channel, waited),
        pytest.raises(LicensingError, match="for 600 seconds"),
    ):
        channel.exchange(SERVER, REQUEST)
    assert (len(server.requests), waited) == (1, [])


def test_a_service_that_cannot_answer_now_says_so_itself(tmp_path: Path) -> None:
    told = json.dumps({"code": "not_now", "problem": {"what": "W.", "where": "there", "todo": "T."}}).encode()
    for calls in (lambda channel: channel.exchange(SERVER, REQUEST), lambda channel: channel.probe()):
        with (
            serving(tmp_path, status(503, "Retry-After: 5\r\n", told)) as (_server, channel, waited),
            pytest.raises(LicensingError, match=r"^W\. \[there\] T\.$"),
        ):
            calls(channel)
        assert waited == [5.0, 5.0, 5.0]


def test_what_became_of_a_request_whose_reply_was_lost_is_unknown_also_where_nothing_is_answered_later(
    tmp_path: Path,
) -> None:
    told = json.dumps({"problem": {"what": "W.", "where": "there", "todo": "T."}}).encode()
    with (
        serving(tmp_path, reset, status(503, "Retry-After: 5\r\n", told)) as (_server, channel, _waited),
        pytest.raises(LicensingError, match="It is unknown whether the authority processed it"),
    ):
        channel.exchange(SERVER, REQUEST)


def test_where_nobody_listens_it_is_said_that_nothing_arrived(tmp_path: Path) -> None:
    with serving(tmp_path, GOOD) as (server, channel, waited):
        server.close()
        with pytest.raises(LicensingError, match="cannot be reached: Connection refused") as refused:
            channel.exchange(SERVER, REQUEST)
        assert "unknown" not in str(refused.value) and waited == [1.0, 2.0, 4.0]


def test_a_reply_that_never_ends_is_cut(tmp_path: Path) -> None:
    def flood(tls: ssl.SSLSocket) -> None:
        tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
        while True:
            tls.sendall(b"x" * 65536)

    with serving(tmp_path, flood) as (_server, channel, _waited), pytest.raises(LicensingError, match="over 262144"):
        channel.exchange(SERVER, REQUEST)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (status(302, "Location: https://evil.example/\r\n"), "answered 302 without a response"),
        (status(404, "", b"<html>not here</html>"), "answered 404 without a response"),
        (status(500, "", b'{"problem": "x"}'), "answered 500 without a response"),
        (status(400, "", b'{"problem": {"what": "\x1b[2J", "where": "x", "todo": "y"}}'), "answered 400"),
        (status(400, "", b'{"problem": {"what": "' + b"x" * 600 + b'", "where": "x", "todo": "y"}}'), "answered 400"),
        (status(400, "", b"[" * 5000), "answered 400"),
        (
            status(400, "", json.dumps({"problem": {"what": "W.", "where": "there", "todo": "T."}}).encode()),
            r"^W\. \[there\] T\.$",
        ),
    ],
)
def test_what_a_service_refuses_is_told_and_not_tried_again(tmp_path: Path, reply: bytes, said: str) -> None:
    with serving(tmp_path, reply) as (server, channel, _waited), pytest.raises(LicensingError, match=said):
        channel.exchange(SERVER, REQUEST)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("https://Authority.Example:8443/", "https://authority.example:8443"),
        (" https://authority.example ", "https://authority.example"),
        ("https://authority.example:443", "https://authority.example"),
        ("HTTPS://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
        ("https://192.0.2.1", "https://192.0.2.1"),
        ("offline", "offline"),
        ("ledger:/a", "ledger:/a"),
    ],
)
def test_an_address_has_one_form(given: str, meant: str) -> None:
    assert check_authority(given) == meant
    assert check_authority(meant) == meant


@pytest.mark.parametrize(
    "address",
    [
        "https://",
        "https://:8443",
        "https://a/b",
        "https://a?b",
        "https://a#",
        "https://a:0",
        "https://a:65536",
        "https://a:x",
        "https://a:",
        "https://a b",
        "https://[::1",
        "https://1.2.3",
        "https://ä.example",
        "https://user:SECRET@a",
        "https://a\x00b",
        "https://a\nb",
        "http://a",
        "ftp://a",
    ],
)
def test_what_is_no_address_is_refused_and_no_password_in_it_repeated(address: str) -> None:
    with pytest.raises(LicensingError, match=r"not (?:the address of )?an authority") as refused:
        check_authority(address)
    assert "SECRET" not in str(refused.value)
    with pytest.raises(LicensingError):
        ledger_path(address)


def test_a_service_is_no_ledger() -> None:
    with pytest.raises(LicensingError, match="names no ledger"):
        ledger_path("https://a")


def no_ledger(path: str) -> Https:
    raise AssertionError(path)


@pytest.mark.parametrize("realm", [None, Realm("x", KEY)])
def test_a_service_needs_the_realms_certificate(realm: Realm | None) -> None:
    with pytest.raises(LicensingError, match="the realm has no ca"):
        open_channel("https://a", no_ledger, realm=realm)


def test_a_certificate_that_is_none_is_refused(tmp_path: Path) -> None:
    for middle in ("", "AAAA", "not base64"):
        ca = f"-----BEGIN CERTIFICATE-----\n{middle}\n-----END CERTIFICATE-----\n"
        with pytest.raises(LicensingError, match="ca is not a certificate"):
            open_channel("https://a", no_ledger, realm=Realm("x", KEY, ca))


def test_the_certificate_that_was_given_last_counts_and_the_key_says_whose_it_is() -> None:
    pinned, other = Realm("x", KEY, "old"), Realm("y", "B" * 43 + "=", "new")
    assert merged(pinned, Realm("x", KEY)) == pinned
    assert merged(pinned, Realm("z", KEY, "new")) == Realm("x", KEY, "new")
    assert merged(None, pinned) == merged(pinned, None) == pinned
    assert merged(pinned, other) == other
    assert merged(None, None) is None
