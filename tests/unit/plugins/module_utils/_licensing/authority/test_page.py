# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request page (docs/domain.md#request-page) over the wire: request files in, response files out."""

from __future__ import annotations

import base64
import json
import re
import ssl
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.certificates import Certificates
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.mail import MailServer as Relay
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.mail import Outbox
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.uploads import read_upload
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.web import Call, Refused
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import (
    Service,
    ServiceLab,
    form,
    run,
    until,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.smtp_lab import (
    MailServer,
    attachments,
    words,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.test_service import (
    audited,
    outcome,
    requests_of,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    NUMBERS,
    SERVER,
    SESSION,
    WRONG_CODE,
    wanted,
)

JSON = {"Accept": "application/json"}
ANNA, FROM = "anna@example.com", "authority@example.com"


def upload(service: Service, email: str, *files: tuple[str, bytes], **options: Any) -> list[dict[str, Any]]:
    """Upload files as a program does; return the results."""
    body, headers = form(email, files)
    status, found, answer = service.call("POST", "/requests", body, {**headers, **JSON}, **options)
    assert (status, found["content-type"]) == (200, "application/json"), answer
    results: list[dict[str, Any]] = json.loads(answer)["results"]
    return results


def test_licenses_are_activated_offline_by_way_of_the_page(lab: ServiceLab) -> None:
    service = lab.serve()
    asked = lab.old.manager.activate(wanted(), lab.offline(), lab.realm)
    files = [(f"{number}.request", request) for number, request in asked.requests.items()]
    results = upload(service, "", *files)
    assert [one["file"] for one in results] == [f"{number.replace('.', '')}.response" for number in NUMBERS]
    assert {one["outcome"] for one in results} == {"granted"}
    responses = {one["number"]: base64.b64decode(one["content"]) for one in results}
    lab.old.manager.activate(wanted(), lab.offline(responses))
    assert set(lab.old.statuses().values()) == {"Active"}
    assert [one["repeated"] for one in results] == [False] * 3
    again = upload(service, "", *files)
    assert [one["repeated"] for one in again] == [True] * 3
    body, headers = form("", files)
    shown = service.call("POST", "/requests", body, headers)[2].decode()
    assert shown.count("It was answered before, at ") == 3 and "spends one transfer" not in shown
    assert [one["content"] for one in again] == [one["content"] for one in results]
    assert [one["detail"]["online"] for one in audited(service)[3:]] == [False] * 3


def test_the_responses_are_mailed_too_each_under_the_name_of_its_license(lab: ServiceLab) -> None:
    good = requests_of(lab, lab.old).activate(wanted(SERVER)[0])
    wrong = requests_of(lab, lab.old).activate(wanted(SESSION, code=WRONG_CODE)[0])
    with MailServer() as mail:
        service = lab.serve("--smtp", mail.address, "--mail-from", FROM)
        results = upload(service, ANNA, ("a", good), ("../../etc/passwd", wrong), ("<b>.exe", b"junk"))
        assert [one["mailed"] for one in results] == [True] * 3
        until(lambda: mail.messages, "the mail")
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
    body = json.loads(requests_of(lab, lab.old).activate(wanted(SERVER)[0]))
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
        until(lambda: mail.messages, "the mail")
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
    body, headers = form(email, [("x", requests_of(lab, lab.old).activate(wanted(SERVER)[0]))])
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


def test_a_mail_that_is_refused_for_now_is_tried_again_and_one_that_is_refused_for_good_is_not(
    lab: ServiceLab,
) -> None:
    request = requests_of(lab, lab.old).activate(wanted(SERVER)[0])
    with MailServer() as mail:
        mail.refusals = ["451 greylisted", "550 no such user"]
        service = lab.serve("--smtp", mail.address, "--mail-from", FROM)
        upload(service, ANNA, ("x", request))
        until(lambda: "said 451" in service.log or "refused with 451" in service.log, "the first attempt")
        upload(service, "bert@example.com", ("x", request))
        until(lambda: "a mail was dropped: the recipient was refused with 550" in service.log, "the refusal")
        # What waits is tried once more before the end.
        assert service.stop() == 0
    assert mail.envelopes == [(FROM, [ANNA])]


def test_a_mail_server_that_is_away_costs_nobody_his_response(lab: ServiceLab) -> None:
    with MailServer() as mail:
        address = mail.address
    service = lab.serve("--smtp", address, "--mail-from", FROM)
    (result,) = upload(service, ANNA, ("x", requests_of(lab, lab.old).activate(wanted(SERVER)[0])))
    assert result["outcome"] == "granted" and result["content"]
    until(lambda: "could not be sent and is tried again" in service.log, "the attempt")
    assert service.stop() == 0


def test_mail_is_handed_over_encrypted_and_with_a_password_where_it_is_told_to(lab: ServiceLab, tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    certificates = Certificates(str(tmp_path / "mail" / "x"))
    certificates.make("mail", ["localhost"], now_utc())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.load(context)
    ca = Path(certificates.where) / "ca.pem"
    (tmp_path / "password").write_text("pass word\n", encoding="utf-8")
    request = requests_of(lab, lab.old).activate(wanted(SERVER)[0])
    with MailServer(context, ("authority", "pass word")) as mail:
        port = mail.address.rpartition(":")[2]
        options = ("--smtp", f"localhost:{port}", "--smtp-starttls", "--mail-from", FROM)
        login = ("--smtp-user", "authority", "--smtp-password-file", str(tmp_path / "password"))
        # Another CA's mail server gets neither the mail nor the password.
        stranger = lab.serve(*options, *login)
        upload(stranger, ANNA, ("x", request))
        until(lambda: "tried again" in stranger.log, "the attempt")
        stranger.kill()
        assert mail.messages == []
        service = lab.serve(*options, *login, SSL_CERT_FILE=str(ca))
        upload(service, ANNA, ("x", request))
        until(lambda: mail.messages, "the mail")
        assert service.stop() == 0
        assert "pass w" not in service.log


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--smtp", "mail:99999"], "is not a mail server"),
        (["--smtp", "a b:25"], "is not a host"),
        (["--smtp", "mail", "--smtp-user", "x"], "not sent unencrypted"),
        (["--smtp", "mail", "--smtp-starttls", "--smtp-user", "x"], "belong together"),
        (["--smtp", "mail", "--smtp-password-file", "/nowhere/password"], "/nowhere/password"),
        (["--smtp", "mail", "--smtp-starttls", "--smtp-user", "ü", "--smtp-password-file", __file__], "ASCII"),
        (["--smtp", "mail", "--mail-from", "nobody"], "is not an e-mail address"),
        (["--port", "70000"], "is not a port"),
        (["--listen", "192.0.2.1"], "Cannot listen"),
        (["--listen", "a b"], "is not an IP address"),
        (["--host", "a b"], "is not a host"),
    ],
)
def test_wrong_options_are_told_before_anything_is_served(lab: ServiceLab, options: list[str], said: str) -> None:
    done = run("serve", "--ledger", str(lab.ledger_path), "--stop-after", "1", "--mail-from", FROM, *options)
    assert done.returncode == 1 and said in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_so_many_mails_go_to_one_address_and_then_no_more_for_a_while(lab: ServiceLab) -> None:
    request = requests_of(lab, lab.old).activate(wanted(SERVER)[0])
    with MailServer() as mail:
        service = lab.serve("--smtp", mail.address, "--mail-from", FROM)
        sent = [upload(service, ANNA.upper() if at % 2 else ANNA, ("x", request))[0] for at in range(12)]
        assert [one["mailed"] for one in sent] == [True] * 10 + [False] * 2
        assert all(one["content"] for one in sent)
        assert upload(service, "bert@example.com", ("x", request))[0]["mailed"]
        until(lambda: len(mail.messages) == 11, "the mails")


def test_so_many_uploads_come_from_one_address_and_then_no_more_for_a_while(lab: ServiceLab) -> None:
    request = requests_of(lab, lab.old).activate(wanted(SERVER)[0])
    body, headers = form("", [("x", request)])
    service = lab.serve()
    for _at in range(60):
        assert service.call("POST", "/requests", body, headers)[0] == 200
    refused = service.refused(429, "POST", "/requests", body, {**headers, **JSON})
    assert "Too many uploads" in refused["problem"]["what"]
    status, found, page = service.call("POST", "/requests", body, headers)
    assert status == 429 and int(found["retry-after"]) > 0 and b"Too many uploads" in page
    assert service.call("POST", "/requests", body, headers, source="127.0.0.9")[0] == 200


def test_the_page_shows_what_was_uploaded_as_text_and_forbids_everything_it_does_not_need(lab: ServiceLab) -> None:
    service = lab.serve()
    body, headers = form("", [("<script>alert(1)</script>", b"junk")])
    for method, path, data in (("GET", "/requests", None), ("POST", "/requests", body)):
        status, found, page = service.call(method, path, data, headers)
        assert status == 200
        policy = found["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "script" not in policy
        assert found["x-content-type-options"] == "nosniff" and found["cache-control"] == "no-store"
        assert "set-cookie" not in found
        assert b"<script" not in page and not re.search(rb"\son[a-z]+=", page)
        assert not re.search(rb'(?:src|href|action)="(?!/|data:application/octet-stream)', page)
    assert b"&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_personal_nodelock_is_not_activated_by_way_of_the_page(lab: ServiceLab) -> None:
    service = lab.serve()
    request = requests_of(lab, lab.old).activate(wanted(SERVER, nodelock="personal")[0])
    (result,) = upload(service, "", ("x", request))
    assert (result["outcome"], result["problem"]["what"]) == (
        "refused",
        "A personal nodelock cannot be activated offline.",
    )
    assert outcome(base64.b64decode(result["content"])) == "refused"


def test_uploads_that_are_none_are_refused_in_words(lab: ServiceLab) -> None:
    service = lab.serve()
    good, headers = form("", [("x", b"x")])
    many, _headers = form("", [("x", b"x")] * 21)
    none, _headers = form("", [])
    empty, _headers = form("", [("", b"")])
    long, _headers = form("", [("x", b"x" * 300_000)])
    for status, body, kind, said in (
        (400, good, "application/x-www-form-urlencoded", "cannot be read"),
        (400, good, "multipart/form-data", "cannot be read"),
        (400, good, "multipart/form-data; boundary=other", "No request file came"),
        (400, b"", headers["Content-Type"], "No request file came"),
        (400, b"\xff" * 1000, headers["Content-Type"], "No request file came"),
        (400, many, headers["Content-Type"], "21 files were uploaded"),
        (400, none, headers["Content-Type"], "No request file came"),
        (400, empty, headers["Content-Type"], "No request file came"),
        (413, long, headers["Content-Type"], "longer than"),
    ):
        refused = service.refused(status, "POST", "/requests", body, {"Content-Type": kind, **JSON})
        assert said in refused["problem"]["what"] or "cannot be read" in refused["problem"]["what"], (
            body[:50],
            refused,
        )
    assert "Traceback" not in service.log
    assert service.call("GET", "/requests")[0] == 200


PARAMETERS = b'form-data; name="request"; x="' + b";" * 200_000


@pytest.mark.parametrize(
    "body",
    [
        b"--b\r\nContent-Disposition: " + PARAMETERS + b'"\r\n\r\nx\r\n--b--\r\n',
        # A header that goes on over what looks like a part of its own.
        b'--b\r\nContent-Disposition: form-data; x="--b' + PARAMETERS + b'"\r\n\r\nx\r\n--b--\r\n',
        b'--b\r\nContent-Disposition: form-data; name="request"\r\n\r\n\r\n' * 3_000 + b"--b--\r\n",
    ],
)
def test_no_upload_keeps_the_authority_from_everybody_else(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    # What a parser would do with it depends on the framework's version; so none gets to see it.
    monkeypatch.setattr("tornado.httputil.parse_body_arguments", lambda *parsed: pytest.fail("it was parsed"))
    call = Call("POST", "/requests", {"content-type": "multipart/form-data; boundary=b"}, body, "127.0.0.1", 0.0)
    assert len(body) < 256 * 1024
    with pytest.raises(Refused, match="cannot be read"):
        read_upload(call)


def test_a_form_of_another_type_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tornado.httputil.parse_body_arguments", lambda *parsed: pytest.fail("it was parsed"))
    for kind in ("multipart/form-data; x=" + ';"' * 8000, "multipart/form-data; boundary=", "text/plain", ""):
        with pytest.raises(Refused, match="cannot be read"):
            read_upload(Call("POST", "/requests", {"content-type": kind}, b"--b--", "127.0.0.1", 0.0))


def test_a_file_with_the_longest_name_is_read(lab: ServiceLab) -> None:
    body, headers = form("", [("%22ä" * 90, b"content")])
    kind = {"content-type": headers["Content-Type"]}
    email, files = read_upload(Call("POST", "/requests", kind, body, "127.0.0.1", 0.0))
    assert (email, files) == ("", [(("%22ä" * 90)[:60], b"content")])


def test_a_mail_goes_to_whom_it_is_for_whatever_its_headers_say() -> None:
    encoded = "=?utf-8?q?=0ABcc:_bob=40example.com?=@example.com"
    with MailServer() as mail:
        host, _colon, port = mail.address.rpartition(":")
        outbox = Outbox(Relay(host, int(port), FROM))
        assert outbox.post(encoded, "x", "x", [])
        until(lambda: mail.messages or outbox.counts, "the mail")
        outbox.close()
    assert not any("bob@" in recipient for _sender, recipients in mail.envelopes for recipient in recipients)
