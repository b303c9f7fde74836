# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The remedies that the commands of the package print are done as they are printed."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sqlite3
import ssl
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import cli
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.certificates import Certificates
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.mail import read_server
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server import process
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CODES,
    SERVER,
    declared,
)
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.pair import Pair, execute


@pytest.mark.parametrize("missing", ["--add-license", "--license", "--activation-code"])
def test_an_option_that_licman_misses_is_the_one_that_it_names(
    at_hand: Pair, missing: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = at_hand
    pair.lab.deactivate(pair.old)
    place = ["licman", "--home", pair.new.home.home, "--root", str(pair.new.root)]
    arguments = ["--nodelock-activate", SERVER, "--activation-code", "-", "--add-license"]
    if missing == "--license":
        arguments = ["--profile-add", "Other"]
    elif missing == "--add-license":
        arguments.remove("--add-license")
    else:
        arguments = ["--nodelock-activate", SERVER, "--add-license"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{CODES[SERVER]}\n".encode())))
    capsys.readouterr()
    assert cli.main([*place, *arguments]) == 1
    message = capsys.readouterr().err
    assert missing in message
    if missing == "--add-license":
        added = re.findall(r"Add (--add-license) to", message)
    elif missing == "--license":
        pair.lab.activate(pair.new, SERVER)
        added = [*re.findall(r"Add (--license) aaa", message), SERVER]
    else:
        added = ["--activation-code", *re.findall(r"or (-) to read", message)]
    assert added
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{CODES[SERVER]}\n".encode())))
    assert cli.main([*place, *arguments, *added]) == 0


def test_a_fingerprint_that_is_none_is_written_by_the_command_of_its_message(at_hand: Pair, tmp_path: Path) -> None:
    place = tmp_path / "fingerprint.json"
    place.write_text("{}", encoding="utf-8")
    with pytest.raises(LicensingError) as refused:
        process.fingerprint("", str(place))
    (command,) = re.findall(r"'(licman .*?)'", str(refused.value))
    execute([f"{command} > {place}"])
    process.fingerprint("", str(place))


def test_a_code_that_is_no_argument_is_read_from_standard_input(
    at_hand: Pair, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    number, code = "015.120.070.001", "K7QXM-R2ZTB-9WPHC-4NDVF-G8SJL"
    issue = ["authority", "issue", number, "--type", "T", "--seats", "3", "--ledger", str(at_hand.lab.ledger_path)]
    assert cli.main([*issue, "--activation-code", code]) == 1
    (dash,) = re.findall(r"Use (-) and pass", capsys.readouterr().err)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{code}\n".encode())))
    assert cli.main([*issue, "--activation-code", dash]) == 0
    # Issued once more, it is to be changed by the command that the message has.
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{code}\n".encode())))
    assert cli.main([*issue, "--activation-code", dash]) == 1
    (command,) = re.findall(r"'authority (\w+)', which", capsys.readouterr().err)
    assert cli.main(["authority", command, number, "--seats", "4", "--ledger", str(at_hand.lab.ledger_path)]) == 0


def test_a_ledger_that_is_not_there_is_made_by_the_command_of_its_message(
    at_hand: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(other)) as made:
        made.execute("CREATE TABLE of_another_program (name)")
    for place, new in ((tmp_path / "none.db", tmp_path / "none.db"), (other, tmp_path / "new.db")):
        assert cli.main(["authority", "list", "--ledger", str(place)]) == 1
        message = capsys.readouterr().err
        assert ("at another path" in message) == (place != new)
        (command,) = re.findall(r"[Cc]reate a ledger (?:at another path )?with '(authority init)'", message)
        execute([f"{command} --ledger {new}"])
        assert cli.main(["authority", "list", "--ledger", str(new)]) == 0


def test_a_code_that_can_be_guessed_is_made_by_the_command_of_the_message(
    at_hand: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = ["authority", "issue", "015.120.070.002", "--ledger", str(at_hand.lab.ledger_path)]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"AAAAA-AAAAA-AAAAA-AAAAA-AAAAA\n")))
    assert cli.main([*issue, "--activation-code", "-"]) == 1
    (command,) = re.findall(r"such as '(authority issue)' generates", capsys.readouterr().err)
    assert cli.main([*command.split(), *issue[2:], "--code-file", str(tmp_path / "code")]) == 0
    assert re.fullmatch(r"\w{5}(-\w{5}){4}\n", (tmp_path / "code").read_text(encoding="utf-8"))


def test_a_certificate_that_cannot_be_used_is_removed_and_made_anew(tmp_path: Path) -> None:
    made = Certificates(str(tmp_path / "authority.db"))
    made.make("REHEARSAL test", ["a.example"], now_utc())
    (Path(made.where) / "server.key").write_bytes(b"damaged")
    with pytest.raises(LicensingError) as refused:
        made.load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    names = re.findall(r"Remove (\S+) and (\S+) there", str(refused.value))[0]
    for name in names:
        (Path(made.where) / name).unlink()
    # What 'authority serve' does first.
    made.make("REHEARSAL test", ["a.example"], now_utc())
    made.load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


def test_a_realm_that_is_not_known_is_given_as_the_authority_prints_it(
    at_hand: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LicensingError) as refused:
        at_hand.new.manager.activate(Activation(declared(SERVER)), at_hand.lab.offline())
    assert "(aims_license_server_realm)" in str(refused.value)
    assert cli.main(["authority", "realm", "--ledger", str(at_hand.lab.ledger_path), "--json"]) == 0
    realm = Realm.from_dict(json.loads(capsys.readouterr().out), "realm")
    assert at_hand.new.manager.activate(Activation(declared(SERVER), realm=realm), at_hand.lab.offline()).requests


def test_a_mail_server_is_taken_once_what_the_message_names_is_added() -> None:
    options: dict[str, Any] = {"user": "authority", "password": "of the tests"}
    with pytest.raises(LicensingError) as refused:
        read_server("mail.example.com", "authority@example.com", **options)
    (option,) = re.findall(r"Add --smtp-(\w+)", str(refused.value))
    assert read_server("mail.example.com", "authority@example.com", **{option: True}, **options).starttls
    for missing in options:
        part = {**options, missing: None, "starttls": True}
        with pytest.raises(LicensingError) as refused:
            read_server("mail.example.com", "authority@example.com", **part)
        both = re.findall(r"Use both --smtp-(user) and --smtp-(password)-file, or neither", str(refused.value))[0]
        for values in (options, dict.fromkeys(both)):
            part.update({name: values[name] for name in both})
            assert read_server("mail.example.com", "authority@example.com", **part).user == values["user"]
