# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each remedy that a message prints is done as it is printed, in the situation that prints it, and ends that.

Those of copies: test_copies.py. Which message has its remedy done by which test: registry.yml.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import re
import shutil
import sqlite3
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import cli, documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.certificates import Certificates
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.mail import read_server
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.issue import changed_license
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.release import release
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.install import remove
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile, now_utc
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server import process
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.entitlements import Entitlements
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import RequestFolder
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair_status import LOST_RESPONSE
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import plan_text
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    CODES,
    NUMBERS,
    SERVER,
    SESSION,
    CoreLab,
    wanted,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.test_install import put
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.pair import Pair, commands, copy, execute, install
from support.needs import needs_root
from support.plans import pair_of, plan_of

STEM = SERVER.replace(".", "")


@pytest.fixture
def at_hand(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """The commands of the package, as their host's administrator has them on the path."""
    for host in (pair.old, pair.new):
        install(pair.lab, host)
    monkeypatch.setenv("PATH", f"{pair.new.folder / 'Bin'}:/usr/bin:/bin")
    return pair


def lost(pair: Pair, *numbers: str, bundle: dict[str, Any], online: bool = True) -> dict[str, Any]:
    """The plan of a pair whose source is declared lost."""
    asked = wanted(*numbers)
    quotes = pair.new.manager.activate(
        asked,
        pair.channel(online),
        pair.lab.realm,
        released_by=["*", *sorted({one["holder"] for one in bundle["licenses"]})],
        dry=True,
    ).results
    known = {one.number: one.as_dict() for one in quotes if one.quote}
    target = pair.look("new", pair.new, authority=f"ledger:{pair.lab.ledger_path}")
    return plan_of(pair_of({"host": "old"}, target, asked, known, bundle, pair.lab.clock(), lost=True))


def test_a_license_that_both_serve_is_ended_where_the_message_says(at_hand: Pair) -> None:
    pair = at_hand
    release(pair.lab.ledger, SERVER, "old is lost", pair.lab.clock())
    pair.lab.activate(pair.new, SERVER)
    text = pair.told()
    assert f"License {SERVER} is active on both old and new, which got it later." in text
    found = re.search(r"End it on old: (.*?) \(", text)
    assert found
    with pytest.raises(Exception, match="non-zero exit status 1"):
        execute([found[1]])  # The authority refuses, as the message says.
    pair.run()
    assert pair.holds(pair.new)


def test_what_a_source_holds_that_is_gone_is_released_by_the_command_of_the_plan(at_hand: Pair) -> None:
    pair = at_hand
    pair.run(SERVER)
    pair.lab.deactivate(pair.new, SERVER)
    pair.lab.activate(pair.old, SERVER)
    pair.reached = False
    text = pair.told(SERVER)
    assert f"License {SERVER} is not active on new, and old cannot be reached." in text
    execute([ledger_of(pair, one) for one in commands(text, "authority release")])
    pair.run(SERVER)
    assert SERVER in [number for number, status in pair.new.statuses().items() if status == "Active"]


def ledger_of(pair: Pair, command: str) -> str:
    """A command of a message, with the ledger in the place of what stands for it."""
    return command.replace(" PATH", f" {pair.lab.ledger_path}")


def test_a_source_that_is_set_to_lost_goes_on_with_its_bundle(at_hand: Pair) -> None:
    pair = at_hand
    bundle = pair.old.overview
    pair.lab.deactivate(pair.old, SERVER)
    pair.reached = False
    text = pair.told()
    assert re.findall(r"set (aims_license_migrate_source_lost: true):", text)
    plan = lost(pair, bundle=bundle)
    assert {one["number"]: one["step"] for one in plan["licenses"]} == {
        SERVER: "activate",
        SESSION: "needs release",
        CLIENT: "needs release",
    }
    # Its next step, too, is done as printed.
    execute([line.strip() for line in plan["next_step"].split("\n") if line.startswith("  ")])
    assert {one["step"] for one in lost(pair, bundle=bundle)["licenses"]} == {"activate"}
    pair.lab.activate(pair.new)
    assert lost(pair, bundle=bundle)["settled"]


@pytest.mark.parametrize(
    "parts", [(), ("Licenses", "Nodelocks", "Config")], ids=["its whole home", "files of its bundle"]
)
def test_what_a_lost_source_had_is_restored_by_hand_on_the_target(at_hand: Pair, parts: tuple[str, ...]) -> None:
    pair = at_hand
    bundle = pair.old.overview
    copy(pair.old, pair.new, *parts)
    shutil.rmtree(pair.old.folder)
    plan = lost(pair, bundle=bundle)
    assert plan["release"] == list(NUMBERS)
    execute([line.strip() for line in plan["next_step"].split("\n") if line.startswith("  ")])
    pair.lab.activate(pair.new)
    assert pair.holds(pair.new) and pair.spent() == [1, 1, 1]


def test_offline_the_note_of_a_lost_source_has_the_command_that_releases(at_hand: Pair) -> None:
    pair = at_hand
    bundle = pair.old.overview
    plan = lost(pair, SERVER, bundle=bundle, online=False)
    note = next(one for one in plan["notes"] if one.startswith("Where the authority answers"))
    (command,) = commands(note, "authority release")
    pair.new.manager.activate(wanted(SERVER), pair.lab.offline(), pair.lab.realm)
    response = pair.lab.process({SERVER: pair.new.read(f"Journal/{STEM}.request")})
    with pytest.raises(LicensingError, match="is live on another machine"):
        pair.new.manager.activate(wanted(SERVER), pair.lab.offline(response), pair.lab.realm)
    execute([command])
    pair.new.manager.activate(wanted(SERVER), pair.lab.offline(), pair.lab.realm)
    response = pair.lab.process({SERVER: pair.new.read(f"Journal/{STEM}.request")})
    pair.new.manager.activate(wanted(SERVER), pair.lab.offline(response), pair.lab.realm)
    assert pair.new.statuses() == {SERVER: "Active"}


def test_a_license_that_ran_out_is_fetched_by_the_command_once_it_is_renewed(at_hand: Pair) -> None:
    pair = at_hand
    pair.run()
    ends = pair.lab.license(SERVER, expiry="2026-01-01")
    with pair.lab.ledger.change():
        pair.lab.ledger.put_license(ends, pair.lab.clock(), "reissue")
    pair.new.manager.update([SERVER], pair.lab.channel())
    pair.lab.clock.forward(days=2)
    (limit,) = pair.plan().limits
    assert f"License {SERVER} is not served on new" in limit
    with pair.lab.ledger.change():
        renewed = changed_license(ends, expiry="2099-12-31")
        pair.lab.ledger.put_license(renewed, pair.lab.clock(), "reissue")
    execute(commands(limit, "licman --nodelock-update"))
    assert pair.plan().limits == () and pair.holds(pair.new)


def test_a_pending_update_is_finished_by_the_command(at_hand: Pair) -> None:
    pair = at_hand
    pair.run()
    pair.new.manager.update([SERVER], pair.lab.offline())
    (limit,) = pair.plan().limits
    assert "its update is pending" in limit
    execute(commands(limit, "licman --nodelock-update"))
    assert pair.plan().limits == () and pair.holds(pair.new)


@pytest.mark.parametrize("damage", ["missing", "another"])
def test_a_private_key_that_is_in_no_bundle(at_hand: Pair, damage: str) -> None:
    pair = at_hand
    key = pair.old.folder / "Config/host.key"
    kept = key.read_bytes()
    key.unlink()
    if damage == "another":
        pair.new.home.make_host_key()
        copy(pair.new, pair.old, "Config/host.key")
    text = pair.told()
    # The first way: back from the bundle.
    assert "Restore it from the newest bundle" in text
    now = key.read_bytes() if damage == "another" else None
    key.write_bytes(kept)
    pair.plan()
    # The second: there is none.
    key.unlink()
    if now is not None:
        key.write_bytes(now)
    text = pair.told()
    found = re.search(r"have the authority's owner release ([0-9., ]+), then let this host forget them \((.*?)\)", text)
    assert found
    for number in found[1].split(", "):
        release(pair.lab.ledger, number, "the key is lost", pair.lab.clock())
    execute([found[2]])
    pair.run()
    assert pair.holds(pair.new)


RESTORED = {
    "A nodelock has no license file.": (f"Licenses/{STEM}.lic", None),
    "The nodelock is missing; only its digests are left.": (f"Nodelocks/{STEM}.lock", None),
    "The nodelock or its license file was changed since it was activated, or is half-written.": (
        f"Nodelocks/{STEM}.ver",
        b"{}",
    ),
    "The file is half-written or damaged.": ("Config/server.json", b"{"),
    "The file is damaged.": ("Config/server.json", b'{"fenced": 1}'),
    "The private key is damaged.": ("Config/host.key", b"-----BEGIN"),
    "The nodelock is damaged.": (f"Nodelocks/{STEM}.lock", b"signed, and not a nodelock"),
}


@pytest.mark.parametrize("what", RESTORED)
def test_what_is_damaged_in_a_home_is_restored_from_its_bundle(pair: Pair, what: str) -> None:
    name, content = RESTORED[what]
    bundle = pair.lab.folder / "bundle"
    shutil.copytree(pair.old.folder, bundle)
    place = pair.old.folder / name
    place.unlink()
    if content == b"signed, and not a nodelock":
        lock = json.loads((bundle / name).read_bytes())
        content = json.dumps({**lock, "body": {**lock["body"], "serial": "x"}}).encode()
        version = json.loads((bundle / f"Nodelocks/{STEM}.ver").read_bytes())
        (pair.old.folder / f"Nodelocks/{STEM}.ver").write_text(
            json.dumps({**version, "lock": documents.digest(content)}), encoding="utf-8"
        )
    if content is not None:
        place.write_bytes(content)
    text = pair.told()
    assert what in text
    found = re.search(r"\[(\S+)\] Restore (it|the file|[A-Z][\w/, ]+/) from the newest bundle", text)
    assert found
    named = (
        [found[1]] if found[2] in ("it", "the file") else [f"{pair.old.folder}/{one}" for one in found[2].split(", ")]
    )
    if what == "The nodelock is damaged.":
        # Its digests were changed with it, which the next run tells.
        shutil.copy2(bundle / f"Nodelocks/{STEM}.ver", pair.old.folder / f"Nodelocks/{STEM}.ver")
    for one in map(Path, named):
        stored = bundle / one.relative_to(pair.old.folder)
        if stored.is_dir():
            shutil.copytree(stored, one, dirs_exist_ok=True)
        else:
            shutil.copy2(stored, one)
    pair.run()
    assert pair.holds(pair.new) and pair.spent() == [1, 1, 1]


def test_request_files_are_processed_by_the_command_of_the_next_step(at_hand: Pair) -> None:
    pair = at_hand
    folder = RequestFolder(pair.lab.folder / "offline")
    change = pair.old.manager.deactivate(list(NUMBERS), pair.lab.offline())
    requests = [
        {"number": number, "content": base64.b64encode(content).decode()} for number, content in change.requests.items()
    ]
    text = folder.take({"requests": requests, "results": []}, list(NUMBERS))
    assert text
    (command,) = re.findall(r"'(authority process .*?)'", text)
    (asked,) = re.findall(r"'(authority status .*?)'", LOST_RESPONSE)
    for number in NUMBERS:
        file = str(pair.lab.folder / "offline" / number.replace(".", ""))
        for one in (asked, command, asked):
            execute([ledger_of(pair, one).replace("FILE", file)])
    responses = {one["number"]: base64.b64decode(one["content"]) for one in folder.responses(list(NUMBERS))}
    pair.old.manager.deactivate(list(NUMBERS), pair.lab.offline(responses))
    pair.run()
    assert pair.holds(pair.new)


def test_a_pending_activation_of_another_machine_is_forgotten_or_its_copied_home_put_away(pair: Pair) -> None:
    pair.lab.deactivate(pair.old)
    pair.new.manager.activate(wanted(SERVER), pair.lab.offline(), pair.lab.realm)
    pair.new.set_machine_id("5" * 31 + "e")
    text = pair.told(SERVER)
    assert f"The pending activation of license {SERVER} was made on another machine" in text
    backup = pair.lab.folder / "kept"
    shutil.copytree(pair.new.folder, backup)
    for begin in ("rm -f ", "mv "):
        execute([one for one in commands(text, begin) if one.startswith(begin)][:1])
        pair.new.home.create()
        pair.run(SERVER)
        assert pair.holds(pair.new, SERVER)
        pair.lab.deactivate(pair.new, SERVER)
        shutil.rmtree(pair.new.folder)
        shutil.copytree(backup, pair.new.folder)


@pytest.mark.parametrize("missing", ["--add-license", "--license", "--activation-code"])
def test_an_option_that_licman_misses_is_the_one_that_it_names(
    at_hand: Pair, missing: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = at_hand
    pair.lab.deactivate(pair.old)
    place = ["licman", "--home", pair.new.home.home, "--root", str(pair.new.root)]
    given = ["--nodelock-activate", SERVER, "--activation-code", "-", "--add-license"]
    if missing == "--license":
        given = ["--profile-add", "Other"]
    elif missing == "--add-license":
        given.remove("--add-license")
    else:
        given = ["--nodelock-activate", SERVER, "--add-license"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{CODES[SERVER]}\n".encode())))
    capsys.readouterr()
    assert cli.main([*place, *given]) == 1
    told = capsys.readouterr().err
    assert missing in told
    if missing == "--add-license":
        added = re.findall(r"Add (--add-license) to", told)
    elif missing == "--license":
        pair.lab.activate(pair.new, SERVER)
        added = [*re.findall(r"Add (--license) aaa", told), SERVER]
    else:
        added = ["--activation-code", *re.findall(r"or (-) to read", told)]
    assert added
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{CODES[SERVER]}\n".encode())))
    assert cli.main([*place, *given, *added]) == 0


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
    (dash,) = re.findall(r"Give (-) and hand", capsys.readouterr().err)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{code}\n".encode())))
    assert cli.main([*issue, "--activation-code", dash]) == 0
    # Issued once more, it is to be changed by the command that the message has.
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{code}\n".encode())))
    assert cli.main([*issue, "--activation-code", dash]) == 1
    (command,) = re.findall(r"'authority (\w+)', or", capsys.readouterr().err)
    assert cli.main(["authority", command, number, "--seats", "4", "--ledger", str(at_hand.lab.ledger_path)]) == 0


def test_a_journal_whose_request_is_for_another_license_is_restored_from_its_bundle(pair: Pair) -> None:
    pair.old.manager.deactivate([SERVER], pair.lab.offline())
    bundle = pair.lab.folder / "bundle"
    shutil.copytree(pair.old.folder / "Journal", bundle)
    journal = pair.old.folder / "Journal"
    (journal / f"{STEM}.request").rename(journal / "015120099099.request")
    text = pair.told()
    (place,) = re.findall(
        r"The request is for license \S+ \[(.*?)/[^/]+\] Restore the journal from the newest bundle", text
    )
    shutil.rmtree(place)
    shutil.copytree(bundle, place)
    pair.run()
    assert pair.holds(pair.new)


def test_a_ledger_that_is_not_there_is_made_by_the_command_of_its_message(
    at_hand: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(other)) as made:
        made.execute("CREATE TABLE of_another_program (name)")
    for place, new in ((tmp_path / "none.db", tmp_path / "none.db"), (other, tmp_path / "new.db")):
        assert cli.main(["authority", "list", "--ledger", str(place)]) == 1
        told = capsys.readouterr().err
        assert ("under another path" in told) == (place != new)
        (command,) = re.findall(r"[Mm]ake one (?:under another path )?with '(authority init)'", told)
        execute([f"{command} --ledger {new}"])
        assert cli.main(["authority", "list", "--ledger", str(new)]) == 0


def test_where_a_license_is_live_the_command_of_the_message_lists(at_hand: Pair) -> None:
    at_hand.lab.deactivate(at_hand.old, SERVER)
    with pytest.raises(LicensingError) as refused:
        release(at_hand.lab.ledger, SERVER, "it is lost", at_hand.lab.clock())
    (command,) = re.findall(r"'(authority list)'", str(refused.value))
    execute([f"{command} --ledger {at_hand.lab.ledger_path}"])
    at_hand.run()
    assert at_hand.holds(at_hand.new)


def test_an_emergency_that_is_not_granted_waits_for_the_release(pair: Pair) -> None:
    with pair.lab.ledger.change():
        pair.lab.ledger.set_emergency_days(0, pair.lab.clock())
    with pytest.raises(LicensingError) as refused:
        pair.new.manager.activate(wanted(SERVER), pair.lab.channel(), pair.lab.realm, emergency=[SERVER])
    assert "grants no emergency activations" in str(refused.value)
    assert str(refused.value).endswith("Have the authority's owner release the license.")
    release(pair.lab.ledger, SERVER, "old is lost", pair.lab.clock())
    pair.new.manager.activate(wanted(SERVER), pair.lab.channel(), pair.lab.realm, emergency=[SERVER])
    assert pair.new.statuses() == {SERVER: "Active"}


def test_an_emergency_that_has_ended_is_followed_by_the_release(pair: Pair) -> None:
    pair.new.manager.activate(wanted(SERVER), pair.lab.channel(), pair.lab.realm, emergency=[SERVER])
    pair.lab.clock.forward(days=8)
    grants = Entitlements(pair.new.home, pair.new.manager.fingerprint(), pair.new.clock)
    problem = grants.look().grant(SERVER).problem
    assert problem is not None and "The emergency activation" in problem.what
    assert problem.todo == "Have the authority's owner release the license, then activate it here."
    release(pair.lab.ledger, SERVER, "old is lost", pair.lab.clock())
    pair.lab.activate(pair.new, SERVER)
    assert (
        Entitlements(pair.new.home, pair.new.manager.fingerprint(), pair.new.clock).look().grant(SERVER).problem is None
    )


def test_a_description_of_the_package_that_is_damaged_is_removed_and_the_package_installed(pair: Pair) -> None:
    place = pair.new.folder / "Bin/package.json"
    place.parent.mkdir(exist_ok=True)
    place.write_text('{"version": 1}', encoding="utf-8")
    text = pair.told()
    assert "The description of the installed package is damaged." in text and "Remove this file and install" in text
    (named,) = re.findall(r"\[(\S+package.json)\]", text)
    Path(named).unlink()
    put(pair.new)
    pair.run()
    assert pair.holds(pair.new)


def test_a_code_that_can_be_guessed_is_made_by_the_command_of_the_message(
    at_hand: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = ["authority", "issue", "015.120.070.002", "--ledger", str(at_hand.lab.ledger_path)]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"AAAAA-AAAAA-AAAAA-AAAAA-AAAAA\n")))
    assert cli.main([*issue, "--activation-code", "-"]) == 1
    (command,) = re.findall(r"such as '(authority issue)' makes", capsys.readouterr().err)
    assert cli.main([*command.split(), *issue[2:], "--code-file", str(tmp_path / "code")]) == 0
    assert re.fullmatch(r"\w{5}(-\w{5}){4}\n", (tmp_path / "code").read_text(encoding="utf-8"))


@needs_root
def test_a_home_that_another_user_can_change_is_given_to_root_by_the_commands_of_the_message(pair: Pair) -> None:
    for path in (pair.new.folder, pair.new.folder.parent):
        os.chown(path, 65534, 65534)
        path.chmod(0o777)
    with pytest.raises(LicensingError) as refused:
        put(pair.new)
    for problem in refused.value.problems:
        (named,) = re.findall(r"Give it to root \((.*?)\)", problem.todo)
        execute([f"{command} {problem.where}" for command in named.split(", ")])
    put(pair.new)
    pair.run()
    assert pair.holds(pair.new)


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
        at_hand.new.manager.activate(wanted(SERVER), at_hand.lab.offline())
    assert "(aims_license_server_realm)" in str(refused.value)
    assert cli.main(["authority", "realm", "--ledger", str(at_hand.lab.ledger_path), "--json"]) == 0
    realm = Realm.from_dict(json.loads(capsys.readouterr().out), "realm")
    assert at_hand.new.manager.activate(wanted(SERVER), at_hand.lab.offline(), realm).requests


def test_a_request_for_another_realm_is_finished_at_its_own(pair: Pair, tmp_path: Path) -> None:
    pair.lab.deactivate(pair.old)
    pair.new.manager.activate(wanted(SERVER), pair.lab.offline(), pair.lab.realm)
    (tmp_path / "other").mkdir()
    other = CoreLab(tmp_path / "other", CoreLab.new_ledger(tmp_path / "other"))
    config = pair.new.home.config()
    pair.new.home.save(replace(config, realm=other.realm))
    with pytest.raises(LicensingError, match="Set aims_license_server_authority back to the authority it was made for"):
        pair.new.manager.activate(wanted(SERVER), other.channel())
    pair.new.home.save(config)
    pair.run(SERVER)
    assert pair.holds(pair.new, SERVER)
    other.close()


def test_the_plan_of_a_pair_that_is_done_prints_no_remedy(pair: Pair) -> None:
    pair.run()
    text = plan_text(pair.plan(), "old", "new")
    assert "Nothing is left to do." in text and not commands(text, "(?:rm|mv|authority|licman) ")


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
        both = re.findall(r"Give --smtp-(user) and --smtp-(password)-file, or neither", str(refused.value))[0]
        for values in (options, dict.fromkeys(both)):
            part.update({name: values[name] for name in both})
            assert read_server("mail.example.com", "authority@example.com", **part).user == values["user"]


def test_a_package_is_removed_once_the_licenses_that_the_message_lists_are_deactivated(pair: Pair) -> None:
    put(pair.old)
    with pytest.raises(LicensingError) as refused:
        remove(pair.old.home)
    assert "Deactivate them first (aims_license_deactivate)." in str(refused.value)
    (numbers,) = re.findall(r"active or pending here: ([\d., ]+)\. \[", str(refused.value))
    pair.old.manager.deactivate(numbers.split(", "), pair.lab.channel())
    assert remove(pair.old.home).changes


def test_a_profile_is_added_once_the_license_that_the_message_names_is_activated(pair: Pair) -> None:
    pair.lab.deactivate(pair.old)
    profile = Profile("Another", SERVER)
    with pytest.raises(LicensingError) as refused:
        pair.new.manager.set_profiles([profile])
    assert "Install the license first (aims_license_activate), or name one that is." in str(refused.value)
    (number,) = re.findall(r"names license (\S+), which", str(refused.value))
    pair.lab.activate(pair.new, number)
    assert pair.new.manager.set_profiles([profile]).changed


def test_a_number_that_is_not_installed_is_corrected_by_what_the_module_lists(pair: Pair) -> None:
    with pytest.raises(LicensingError) as refused:
        pair.old.manager.deactivate(["015.120.099.099"], pair.lab.channel())
    assert "Correct the number; aims_license_info lists the licenses that are here." in str(refused.value)
    listed = [license["number"] for license in pair.look("old", pair.old)["overview"]["licenses"]]
    pair.old.manager.deactivate(listed, pair.lab.channel())
    pair.run()
    assert pair.holds(pair.new)
