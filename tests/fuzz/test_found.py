# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs that were once taken, or ended in a traceback: each stays, under a name that says what was wrong."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import sqlite3
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import (
    addresses,
    client,
    declared,
    documents,
    model,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import Listen
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.audit import check_ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.certificates import Certificates
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel import base
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.https import Https
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.journal import Journal
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import open_manager
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Account
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview, ServerView
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import read_bundle
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.pairs import read_pairs
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import HostVariables
from ansible_collections.aims.licensing.plugins.plugin_utils._offline import portal
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import returned_requests
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.portal_options import check_email, check_portal
from ansible_collections.aims.licensing.tests.fuzz.lines import Replying
from support.worked_example import CODE


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(LicensingError) as error:
        call(*arguments)
    return str(error.value)


def test_a_number_too_large_for_python_to_write_is_refused_in_words() -> None:
    assert refused(model.parse_number, 1 << 40000).startswith("a int is not a license number.")
    assert refused(model.parse_date, 1 << 40000, "here").startswith("a int is not a date.")
    wanted = [{"number": "1", "activation_code": 1, "default": 1 << 40000, "nodelock": 1 << 40000}]
    assert "a int is neither true nor false." in refused(declared.read_declared_licenses, wanted, "here")


def test_a_user_with_half_a_character_cannot_be_declared_and_then_not_be_written() -> None:
    for user in ("DOMAIN\\\ud800", "DOMAIN\\a\u2028b", "DOMAIN\\\x7f"):
        assert "is not a registered user" in refused(model.parse_user, user)


def test_a_ledger_path_with_half_a_character_cannot_be_set_and_then_not_be_written() -> None:
    for text in ("ledger:/\ud800", "ledger:/a\nb", "ledger:/\x1b[2J"):
        assert "is not an authority" in refused(base.check_authority, text)


def test_a_certificate_with_half_a_character_cannot_be_pinned_and_then_not_be_written() -> None:
    ca = "-----BEGIN CERTIFICATE-----\n\ud800\n-----END CERTIFICATE-----\n"
    told = refused(Realm.from_dict, {"name": "x", "key": "A" * 43 + "=", "ca": ca}, "here")
    assert "The realm's ca is not a certificate." in told


def test_a_number_is_no_address_to_listen_on() -> None:
    for value in (5, True, 0, "fe80::1%a\nb"):
        assert "is not an IP address" in refused(Listen.from_dict, {"clients": value}, "here")


def test_a_host_has_no_line_break_behind_the_percent_sign_of_its_address() -> None:
    for text in ("fe80::1%a\r\nHost: x", "fe80::1%a b"):
        assert "is not a host" in refused(addresses.parse_host, text)


def test_a_transfer_in_the_year_9999_cannot_return_after_the_end_of_time() -> None:
    assert "is not a time" in refused(Account.from_dict, "machine", {"spent": ["9999-12-31T00:00:00Z"]}, "here")


def test_a_time_has_one_form() -> None:
    for text in ("2026-1-1T1:1:1Z", "0999-01-01T00:00:00Z", "2026-01-01T00:00:00Z\n"):
        assert "is not a time" in refused(model.parse_time, text, "here")


def test_a_message_stays_short_and_can_be_written_whatever_it_repeats() -> None:
    problem = Problem("x" * 100_000, "a\ud800b", "do")
    assert len(problem.what) == 3001
    assert problem.where == "a\\ud800b"
    assert len(refused(declared.read_declared_licenses, [{"x" * 100_000: 1}], "here")) < 10_000


def test_a_document_nested_almost_as_deep_as_the_stack_is_refused_when_read() -> None:
    body = b'{"a":' * 60 + b"1" + b"}" * 60
    data = b'{"format":"aims-licensing/1","kind":"request","body":%s,"signatures":{}}' % body
    assert "cannot be read" in refused(documents.read, data, documents.REQUEST, "here")


OPEN: list[Replying] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


NOT_OURS = "The answer is not from our license server."


def answered(body: object, status: int = 200) -> client.Management:
    """Return the line to somebody who answers once."""
    line = Replying()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    line.reply = b"HTTP/1.0 %d x\r\n\r\n%s" % (status, content)
    OPEN.append(line)
    return client.Management("127.0.0.1", line.port)


def test_an_answer_nested_deeper_than_the_stack_is_not_our_license_server() -> None:
    assert NOT_OURS in refused(answered(b"[" * 100_000).status)


@pytest.mark.parametrize("process", [-1, 0, 1, True, "5", None, 1 << 80])
def test_a_server_that_names_no_process_of_its_own_is_not_ours_and_nobody_is_signalled(process: Any) -> None:
    assert NOT_OURS in refused(answered({"home_id": "a", "pid": process}).status)


def test_an_answer_that_lacks_what_is_used_of_it_is_not_our_license_servers() -> None:
    assert NOT_OURS in refused(answered({"server": {}, "licenses": []}).overview)
    assert NOT_OURS in refused(answered({"clients": [{"user": 5}], "total": 1}).clients)
    assert NOT_OURS in refused(answered({"clients": [], "total": "1"}).clients)
    assert NOT_OURS in refused(answered({"home_id": "a", "pid": 7, "version": "\ud800"}).status)


def test_a_refusal_without_words_is_not_our_license_servers() -> None:
    assert NOT_OURS in refused(answered({"code": "gone", "problem": {"what": "", "where": "", "todo": ""}}, 410).status)


def test_a_message_does_not_steer_the_terminal_whoever_said_it() -> None:
    problem = {"what": "\x1b[2J\u202e", "where": "a\nb", "todo": "\r"}
    told = refused(answered({"code": "gone", "problem": problem}, 410).status)
    assert told == "\\x1b[2J\\u202e [a\nb] \\r"


def test_a_pause_in_other_digits_than_ours_is_no_number_of_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portal, "_PATIENCE", replace(portal._PATIENCE, pauses=()))
    certificates = Certificates(str(tmp_path / "x"))
    certificates.make("test", ["127.0.0.1"], model.now_utc())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.load(context)
    line = Replying(context)
    line.reply = "HTTP/1.1 503 x\r\nRetry-After: \u00b2\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
    realm, address = Realm("x", "A" * 43 + "=", certificates.ca()), f"https://127.0.0.1:{line.port}"
    assert "it said 503" in refused(Https(address, realm, pauses=()).exchange, "1", b"")
    assert "is busy or being restarted" in refused(portal.Portal(address, realm, "", 30).check)
    line.close()


def test_a_request_page_that_refuses_without_words_is_told_in_ours() -> None:
    told = portal.Portal._problem({"what": "\u202e "}, "here")
    assert told.what == "The page returned no response to this request."


def test_a_number_is_no_certificate_however_large() -> None:
    for ca in (1 << 40000, 5, [], ["x"]):
        realm = {"name": "x", "key": "A" * 43 + "=", "ca": ca}
        if ca:
            assert "The realm's ca is not a certificate." in refused(Realm.from_dict, realm, "here")


def test_a_home_file_with_half_a_character_is_damaged_and_not_read_and_then_not_written(tmp_path: Path) -> None:
    home = Home("/home", str(tmp_path))
    home.create()
    (home.folder.path / "Config" / "server.json").write_text('{"users": ["DOMAIN\\\\\\ud800"]}', encoding="utf-8")
    assert "half-written or damaged" in refused(home.config)


@pytest.mark.parametrize("column", ["private_key", "content"])
def test_a_number_in_the_place_of_bytes_is_not_made_into_as_many(tmp_path: Path, column: str) -> None:
    path = tmp_path / "authority.db"
    with Ledger.create(str(path), "test") as ledger, ledger.change():
        answered = {"request_id": "id", "request_digest": "digest"}
        ledger.put_response("id", "digest", ledger.sign(documents.RESPONSE, answered))
        assert ledger.response("id") is not None
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"UPDATE {'realm' if column == 'private_key' else 'response'} SET {column} = ?", (1 << 62,))

    def use() -> None:
        with Ledger(str(path)) as ledger:
            ledger.response("id")

    assert "The ledger is damaged" in refused(use)


def test_a_record_that_is_no_json_is_told_by_the_audit_and_by_the_desk(tmp_path: Path) -> None:
    path = tmp_path / "authority.db"
    with Ledger.create(str(path), "test") as ledger, ledger.change():
        ledger.record(model.now_utc(), "issue", "1", {})
    for value in ("", "[]", b"\xff"):
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("UPDATE audit SET detail = ?", (value,))
        with Ledger(str(path)) as ledger:
            assert "The audit log is broken" in refused(check_ledger, ledger)
            assert "The ledger is damaged" in refused(ledger.records, "1", "issue")


@pytest.mark.parametrize("manifest", [b"a: !!timestamp x", b"a: !!int ''", b"a: !!bool x", b"format: 0x" + b"f" * 5000])
def test_a_manifest_whose_values_are_not_what_their_tags_say_is_refused(tmp_path: Path, manifest: bytes) -> None:
    (tmp_path / "manifest.yml").write_bytes(manifest)
    (tmp_path / "manifest.sha256").write_text(hashlib.sha256(manifest).hexdigest(), encoding="utf-8")
    assert "bundle" in refused(read_bundle, tmp_path)


def test_a_name_with_half_a_character_is_no_file(tmp_path: Path) -> None:
    for name in ("\ud800", "files/\ud800", "\ud800/x"):
        assert "leads out of its folder" in refused(Folder(tmp_path).write, name, b"")
        assert "leads out of its folder" in refused(Folder(tmp_path).find, name)
    assert not list(tmp_path.iterdir())


def test_a_code_or_a_password_in_the_wrong_place_is_not_repeated_by_a_message() -> None:
    for call in (
        lambda: model.parse_number(CODE),
        lambda: model.parse_profile(CODE),
        lambda: declared.read_declared_licenses([{CODE: 1}], "here"),
        lambda: declared.read_profiles([{"name": CODE, "license": CODE}] * 2, "here"),
        lambda: base.check_authority(f"ledger:{CODE}"),
        lambda: open_manager(f"https://user:{CODE[:5]}@x", "/a"),
        lambda: check_portal([CODE], "here"),
    ):
        told = refused(call).replace("such as AAAAA-BBBBB-CCCCC-DDDDD-EEEEE", "")
        assert "…" in told or "profile name" in told
        assert "AAAAA" not in told


def test_a_home_whose_path_no_message_and_no_unit_can_hold_is_refused() -> None:
    for path, root in (("/\ud800", ""), ("/a\nb", ""), ("/a", "/\udcff"), ("/a\x1b", "")):
        assert "is not an absolute path" in refused(Home, path, root)


def test_a_value_too_large_to_be_written_is_told_by_the_inventory() -> None:
    values = {"aims_license_server_home": 1 << 40000, "aims_license_migrate_source": 1 << 40000}
    host = HostVariables("new", values, values.__getitem__, values.__getitem__, lambda value: value)
    told = refused(read_pairs, ["new"], {"new": host})
    assert "'a int' is not an absolute path" in told
    assert "The source a int is not in the inventory." in told
    for call in (check_portal, check_email):
        assert "'a int' is not" in refused(call, 1 << 40000, "here")


def test_a_key_that_openssl_stumbles_over_is_damaged() -> None:
    """OpenSSL tells a key that is too short for the kind it says to be by an error of its own."""
    for kind in ("6f", "71"):
        short = base64.b64encode(bytes.fromhex(f"302e020100300506032b65{kind}04220420" + "11" * 32))
        pem = b"-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n" % short
        assert "The private key is damaged." in refused(documents.load_private_key, pem, "here")


def test_an_overview_without_users_without_a_realm_or_with_one_of_no_key_is_no_bundles() -> None:
    whole = {"server": {"realm": None}, "licenses": [], "profiles": [], "users": []}
    assert Overview.from_dict(whole, "here") == Overview(ServerView(installed=None))
    for changed in (
        {"users": 5},
        {"users": [5]},
        {"server": {}},
        {"server": {"realm": {"name": "x"}}},
        {"server": {"realm": {"name": "x", "key": "x"}}},
        {"licenses": None},
    ):
        assert "This is not a" in refused(Overview.from_dict, {**whole, **changed}, "here")


def test_a_pending_request_that_lacks_a_part_is_damaged_and_not_compared_with_its_response(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.make("Journal")
    key = documents.load_private_key(documents.new_private_key(), "key")
    whole = {
        "id": "0" * 32,
        "action": "activate",
        "number": "015.120.064.022",
        "nodelock": "machine",
        "fingerprint": {"machine-id": "0" * 32},
        "host_key": documents.public_half(key),
        "realm": "0" * 16,
        "made": "2026-01-01T12:00:00Z",
    }
    for part in ("id", "action", "fingerprint", "host_key", "realm", "made", ""):
        body = {name: value for name, value in whole.items() if name != part}
        folder.write("Journal/015120064022.request", documents.sign(documents.REQUEST, body, {"host": key}))
        if part:
            assert "half-written or damaged" in refused(Journal(folder).open)
        else:
            assert list(Journal(folder).open()) == ["015.120.064.022"]


def test_a_host_does_not_choose_the_names_of_files_on_the_controller(tmp_path: Path) -> None:
    for number in ("a/b", ".", "../x", "", 5):
        told = refused(returned_requests, [{"number": number, "content": "AAAA"}])
        assert "is not a license number" in told
    for content in ("A", None, 5, "\ud800"):
        request = {"number": "015.120.064.022", "content": content}
        assert "incomplete or damaged" in refused(returned_requests, [request])
    assert not list(tmp_path.iterdir())


def test_a_ledger_whose_damage_sqlite_quotes_is_told_although_the_quotation_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "authority.db"
    Ledger.create(str(path), "test").close()
    damaged = (
        path.read_bytes()
        .replace(b"tablerealmrealm", b"tablerea\xffmrealm")
        .replace(b"CREATE TABLE realm", b"CREATE TABLX realm")
    )
    path.write_bytes(damaged)
    assert "The ledger cannot be" in refused(Ledger, str(path))
