# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request page (docs/domain.md#request-page) over the wire: request files in, response files out."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.uploads import read_upload
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.web import Call, Refused
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import (
    Service,
    ServiceLab,
    form,
    run,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.test_service import (
    audited,
    outcome,
    requests_of,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    NUMBERS,
    SERVER,
    declared,
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
    asked = lab.old.manager.activate(Activation(declared(), realm=lab.realm), lab.offline())
    files = [(f"{number}.request", request) for number, request in asked.requests.items()]
    results = upload(service, "", *files)
    assert [one["file"] for one in results] == [f"{number.replace('.', '')}.response" for number in NUMBERS]
    assert {one["outcome"] for one in results} == {"granted"}
    responses = {one["number"]: base64.b64decode(one["content"]) for one in results}
    lab.old.manager.activate(Activation(declared()), lab.offline(responses))
    assert set(lab.old.statuses().values()) == {"Active"}
    assert [one["repeated"] for one in results] == [False] * 3
    again = upload(service, "", *files)
    assert [one["repeated"] for one in again] == [True] * 3
    body, headers = form("", files)
    shown = service.call("POST", "/requests", body, headers)[2].decode()
    assert shown.count("It was first answered at ") == 3 and "spends one transfer" not in shown
    assert [one["content"] for one in again] == [one["content"] for one in results]
    assert [one["detail"]["online"] for one in audited(service)[3:]] == [False] * 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--smtp", "mail:99999"], "is not a mail server"),
        (["--smtp", "a b:25"], "is not a host"),
        (["--smtp", "mail", "--smtp-user", "x"], "must not be sent unencrypted"),
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


def test_so_many_uploads_come_from_one_address_and_then_no_more_for_a_while(lab: ServiceLab) -> None:
    request = requests_of(lab, lab.old).activate(declared(SERVER)[0])
    body, headers = form("", [("x", request)])
    service = lab.serve()
    for _at in range(60):
        assert service.call("POST", "/requests", body, headers)[0] == 200
    refused = service.refused(429, "POST", "/requests", body, {**headers, **JSON})
    assert "too many uploads" in refused["problem"]["what"]
    status, found, page = service.call("POST", "/requests", body, headers)
    assert status == 429 and int(found["retry-after"]) > 0 and b"too many uploads" in page
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
    request = requests_of(lab, lab.old).activate(declared(SERVER, nodelock="personal")[0])
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
        (400, good, "multipart/form-data; boundary=other", "No request file was uploaded"),
        (400, b"", headers["Content-Type"], "No request file was uploaded"),
        (400, b"\xff" * 1000, headers["Content-Type"], "No request file was uploaded"),
        (400, many, headers["Content-Type"], "21 files were uploaded"),
        (400, none, headers["Content-Type"], "No request file was uploaded"),
        (400, empty, headers["Content-Type"], "No request file was uploaded"),
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
