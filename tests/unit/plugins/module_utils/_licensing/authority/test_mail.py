# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request page (docs/domain.md#request-page) over the wire: request files in, response files out."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.certificates import Certificates
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.mail import Mail, Mailer
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.mail import MailServer as Relay
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import (
    Service,
    ServiceLab,
    form,
    until,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.smtp_lab import (
    MailServer,
    attachments,
    words,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.test_page import (
    ANNA,
    FROM,
    JSON,
    upload,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.test_service import (
    requests_of,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    SERVER,
    SESSION,
    WRONG_CODE,
    declared,
)


def test_the_responses_are_mailed_too_each_under_the_name_of_its_license(lab: ServiceLab) -> None:
    good = requests_of(lab, lab.old).activate(declared(SERVER)[0])
    wrong = requests_of(lab, lab.old).activate(declared(SESSION, code=WRONG_CODE)[0])
    with MailServer() as mail:
        service = lab.serve("--smtp", mail.address, "--mail-from", FROM)
        results = upload(service, ANNA, ("a", good), ("../../etc/passwd", wrong), ("<b>.exe", b"junk"))
        assert [one["mailed"] for one in results] == [True] * 3
        assert len(mail.messages) == 1
        assert service.stop() == 0
    assert mail.envelopes == [(FROM, [ANNA])]
    (message,) = mail.messages
    assert (message["To"], message["From"]) == (ANNA, FROM)
    assert message["Subject"] == f"License response: {SERVER}, {SESSION}"
    assert message["Auto-Submitted"] == "auto-generated"
    contents = {one["file"]: base64.b64decode(one["content"]) for one in results[:2]}
    assert attachments(message) == contents
    assert set(contents) == {"015120064022.response", "015120065016.response"}
    text = words(message)
    assert f"Activation of {SERVER}: Granted" in text and f"Activation of {SESSION}: Refused" in text
    assert "knows no license" in text and "File 3: Not processed" in text
    for chosen in (b"passwd", b".exe", b"junk"):
        assert chosen not in mail.raw[0]
    assert ANNA not in service.log


def test_a_mail_has_nothing_in_it_that_a_stranger_wrote(lab: ServiceLab) -> None:
    body = json.loads(requests_of(lab, lab.old).activate(declared(SERVER)[0]))
    lure = "https://evil.x"
    forged = [
        json.dumps({**body, "format": lure}).encode(),
        json.dumps({**body, "kind": lure}).encode(),
        json.dumps({**body, "body": {**body["body"], "realm": lure}}).encode(),
        json.dumps({**body, "body": {**body["body"], "number": lure}}).encode(),
    ]
    with MailServer() as mail:
        service = lab.serve("--smtp", mail.address, "--mail-from", FROM)
        results = upload(service, ANNA, *((lure, one) for one in forged))
        assert any(lure in one["problem"]["what"] for one in results)
    assert "evil" not in mail.raw[0].decode()
    assert attachments(mail.messages[0]) == {}


@pytest.mark.parametrize(
    "email",
    [
        "no address",
        "a@b@c.example",
        "anna@example.com\r\nBcc: bob@example.com",
        "anna@example.com\nSubject: x",
        "Anna <anna@example.com>",
        "anna@example.com, bob@example.com",
        '"anna x"@example.com',
        ".a@example.com",
        "ännä@example.com",
        "=?utf-8?q?=0ABcc:_bob=40example.com?=@example.com",
        "anna=?@example.com",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a" * 65 + "@example.com",
        "a@" + "b." * 130 + "example",
    ],
)
def test_what_is_no_address_gets_no_mail_and_nothing_is_processed(lab: ServiceLab, email: str) -> None:
    body, headers = form(email, [("x", requests_of(lab, lab.old).activate(declared(SERVER)[0]))])
    with MailServer() as mail:
        service = lab.serve("--smtp", mail.address, "--mail-from", FROM)
        refused = service.refused(400, "POST", "/requests", body, {**headers, **JSON})
        assert "is not an e-mail address" in refused["problem"]["what"]
        status, found, page = service.call("POST", "/requests", body, headers)
        assert (status, found["content-type"]) == (400, "text/html; charset=utf-8")
        assert b"is not an e-mail address" in page
        assert service.stop() == 0
    assert mail.messages == []
    assert lab.ledger.holding(SERVER) is None


def shown_mail(service: Service, email: str, *files: tuple[str, bytes]) -> tuple[str, str]:
    """Upload files as a person does; return the kind and the words of what the page says about the mail."""
    body, headers = form(email, files)
    status, _headers, answer = service.call("POST", "/requests", body, headers)
    assert status == 200
    page = answer.decode()
    banner = re.search(r'<p class="banner (\w+)" id="mail" role="status">(.*?)</p>', page)
    assert banner is not None and "Download 015120064022.response" in page
    return banner.group(1), banner.group(2)


def test_the_page_says_whether_the_mail_server_has_the_mail(lab: ServiceLab) -> None:
    request = requests_of(lab, lab.old).activate(declared(SERVER)[0])
    with MailServer() as mail:
        service = lab.serve("--smtp", mail.address, "--mail-from", FROM)
        # The answer comes after the mail: nothing has to be waited for.
        assert shown_mail(service, ANNA, ("x", request)) == (
            "info",
            f"A mail with the same response files was sent to {ANNA}.",
        )
        assert mail.envelopes == [(FROM, [ANNA])]


@pytest.mark.parametrize("refusal", ["451 greylisted", "550 no such user"])
def test_a_mail_that_is_refused_is_told_at_once_and_not_tried_again(lab: ServiceLab, refusal: str) -> None:
    request = requests_of(lab, lab.old).activate(declared(SERVER)[0])
    with MailServer() as mail:
        mail.refusals = [refusal, refusal]
        service = lab.serve("--smtp", mail.address, "--mail-from", FROM)
        (result,) = upload(service, ANNA, ("x", request))
        assert (result["outcome"], result["mailed"]) == ("granted", False) and result["content"]
        kind, said = shown_mail(service, ANNA, ("x", request))
        assert kind == "warn" and "No mail was sent: the mail server refused the address." in said
        assert f"a mail was not sent: the recipient was refused with {refusal[:3]}" in service.log
        assert ANNA not in service.log
        # The same upload brings the same response, and the mail.
        (again,) = upload(service, ANNA, ("x", request))
        assert again["mailed"] and again["content"] == result["content"]
        assert service.stop() == 0
    assert len(mail.messages) == 1


def test_a_mail_server_that_is_away_costs_nobody_the_response(lab: ServiceLab) -> None:
    with MailServer() as mail:
        address = mail.address
    service = lab.serve("--smtp", address, "--mail-from", FROM)
    request = requests_of(lab, lab.old).activate(declared(SERVER)[0])
    (result,) = upload(service, ANNA, ("x", request))
    assert (result["outcome"], result["mailed"]) == ("granted", False) and result["content"]
    kind, said = shown_mail(service, ANNA, ("x", request))
    assert kind == "warn" and "No mail was sent: the mail server cannot be reached. Download" in said
    assert "a mail was not sent: Connection refused" in service.log
    assert service.call("GET", "/metrics")[2].count(b'aims_authority_mails_total{outcome="failed"} 2') == 1
    assert service.stop() == 0


@contextlib.contextmanager
def slow_mail_server(greeting: bytes) -> Iterator[str]:
    """The address of what greets as it is asked to, and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        lines: list[socket.socket] = []

        def greet() -> None:
            with contextlib.suppress(OSError):
                while True:
                    line, _peer = listener.accept()
                    lines.append(line)
                    line.sendall(greeting)

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for line in lines:
            line.close()


@pytest.mark.parametrize("greeting", [b"", b"220 here\r\n"])
def test_a_slow_mail_server_keeps_nobody_waiting_for_long_and_nobody_else_at_all(
    lab: ServiceLab, greeting: bytes
) -> None:
    request = requests_of(lab, lab.old).activate(declared(SERVER)[0])
    with slow_mail_server(greeting) as address, ThreadPoolExecutor() as pool:
        service = lab.serve("--smtp", address, "--mail-from", FROM)
        begun = time.monotonic()
        mailed = pool.submit(upload, service, ANNA, ("x", request))
        until(lambda: lab.ledger.holding(SERVER) is not None, "the activation")
        assert service.call("GET", "/v1/status")[0] == 200
        assert not mailed.done()
        (result,) = mailed.result(30)
        assert 9 < time.monotonic() - begun < 15
        assert (result["outcome"], result["mailed"]) == ("granted", False) and result["content"]
        assert "a mail was not sent: the mail server took too long" in service.log
        # A thread that still waits for the mail server does not keep the service from ending.
        begun = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begun < 5


def test_no_more_mails_than_there_are_places_are_handed_over_at_the_same_time() -> None:
    async def send(mailer: Mailer) -> list[str]:
        sent = await asyncio.gather(
            *(mailer.send(Mail(ANNA, "x", "x"), 2.0) for _at in range(20)), return_exceptions=True
        )
        return [str(one) for one in sent]

    with slow_mail_server(b"") as address:
        host, _colon, port = address.rpartition(":")
        mailer = Mailer(Relay(host, int(port), FROM))
        begun = time.monotonic()
        said = asyncio.run(send(mailer))
        assert time.monotonic() - begun < 4
    assert said == ["the mail server did not take it in time"] * 20
    assert mailer.counts == {"failed": 20}


def test_mail_is_handed_over_encrypted_and_with_a_password_where_it_is_told_to(lab: ServiceLab, tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    certificates = Certificates(str(tmp_path / "mail" / "x"))
    certificates.make("mail", ["localhost"], now_utc())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.load(context)
    ca = Path(certificates.where) / "ca.pem"
    (tmp_path / "password").write_text("pass word\n", encoding="utf-8")
    request = requests_of(lab, lab.old).activate(declared(SERVER)[0])
    with MailServer(context, ("authority", "pass word")) as mail:
        port = mail.address.rpartition(":")[2]
        options = ("--smtp", f"localhost:{port}", "--smtp-starttls", "--mail-from", FROM)
        login = ("--smtp-user", "authority", "--smtp-password-file", str(tmp_path / "password"))
        # Another CA's mail server gets neither the mail nor the password.
        stranger = lab.serve(*options, *login)
        kind, said = shown_mail(stranger, ANNA, ("x", request))
        assert kind == "warn" and "No mail was sent: there is no safe connection to the mail server." in said
        assert "CERTIFICATE_VERIFY_FAILED" in stranger.log
        stranger.kill()
        assert mail.messages == []
        service = lab.serve(*options, *login, SSL_CERT_FILE=str(ca))
        (result,) = upload(service, ANNA, ("x", request))
        assert result["mailed"] and len(mail.messages) == 1
        assert service.stop() == 0
        assert "pass w" not in service.log


def test_a_mail_server_that_offers_no_encryption_gets_no_mail_that_wants_it(lab: ServiceLab) -> None:
    request = requests_of(lab, lab.old).activate(declared(SERVER)[0])
    with MailServer() as mail:
        service = lab.serve("--smtp", mail.address, "--smtp-starttls", "--mail-from", FROM)
        kind, said = shown_mail(service, ANNA, ("x", request))
        assert kind == "warn" and "there is no safe connection" in said
    assert mail.messages == []


def test_a_mail_server_that_refuses_the_login_gets_no_mail(lab: ServiceLab, tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    certificates = Certificates(str(tmp_path / "mail" / "x"))
    certificates.make("mail", ["localhost"], now_utc())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.load(context)
    (tmp_path / "password").write_text("another\n", encoding="utf-8")
    request = requests_of(lab, lab.old).activate(declared(SERVER)[0])
    with MailServer(context, ("authority", "pass word")) as mail:
        port = mail.address.rpartition(":")[2]
        login = ("--smtp-user", "authority", "--smtp-password-file", str(tmp_path / "password"))
        service = lab.serve(
            *("--smtp", f"localhost:{port}", "--smtp-starttls", "--mail-from", FROM),
            *login,
            SSL_CERT_FILE=str(Path(certificates.where) / "ca.pem"),
        )
        kind, said = shown_mail(service, ANNA, ("x", request))
        assert kind == "warn" and "No mail was sent: the mail server did not accept it." in said
        assert "the mail server said 535" in service.log and "another" not in service.log
    assert mail.messages == []


def test_so_many_mails_go_to_one_address_and_then_no_more_for_a_while(lab: ServiceLab) -> None:
    request = requests_of(lab, lab.old).activate(declared(SERVER)[0])
    with MailServer() as mail:
        service = lab.serve("--smtp", mail.address, "--mail-from", FROM)
        sent = [upload(service, ANNA.upper() if at % 2 else ANNA, ("x", request))[0] for at in range(12)]
        assert [one["mailed"] for one in sent] == [True] * 10 + [False] * 2
        assert all(one["content"] for one in sent)
        assert upload(service, "bert@example.com", ("x", request))[0]["mailed"]
        assert len(mail.messages) == 11


def test_a_mail_goes_to_whom_it_is_for_whatever_its_headers_say() -> None:
    encoded = "=?utf-8?q?=0ABcc:_bob=40example.com?=@example.com"
    with MailServer() as mail:
        host, _colon, port = mail.address.rpartition(":")
        mailer = Mailer(Relay(host, int(port), FROM))
        asyncio.run(mailer.send(Mail(encoded, "x", "x"), 10.0))
    assert not any("bob@" in recipient for _sender, recipients in mail.envelopes for recipient in recipients)
