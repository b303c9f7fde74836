# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands are the vendor's documented ones and our own; their exit codes and words can be relied on."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils import _licensing
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from ansible_collections.aims.licensing.plugins.module_utils._licensing.cli import main
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    CODES,
    HOME,
    SERVER,
    WRONG_CODE,
)

DONE, REFUSED, USAGE, WAITING = 0, 1, 2, 3
PATHS = {"new": "0123456789abcdef0123456789abcdef", "old": "fedcba9876543210fedcba9876543210"}


class Shell:
    """Runs commands as ``python -m aims_licensing`` would, and reads what they print."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.ledger = str(folder / "authority.db")
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        for name, machine_id in PATHS.items():
            (folder / name / "etc").mkdir(parents=True)
            (folder / name / "etc/machine-id").write_text(machine_id, encoding="utf-8")
            Home(HOME, str(folder / name)).create()

    def run(self, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = self._capsys.readouterr()
        assert "Traceback" not in told.err
        return code, told.out, told.err

    def licman(self, host: str, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        place = ["--home", HOME, "--root", str(self.folder / host)]
        if "--authority" not in arguments:
            place += ["--authority", f"ledger:{self.ledger}"]
        return self.run("licman", *arguments, *place, stdin=stdin)

    def authority(self, *arguments: str, stdin: str = "", code: int = DONE) -> Any:
        found, out, err = self.run("authority", *arguments, "--ledger", self.ledger, "--json", stdin=stdin)
        assert found == code, (out, err)
        return json.loads(out)

    def overview(self, host: str) -> Any:
        return json.loads(self.licman(host, "--overview", "--json")[1])["overview"]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    shell = Shell(tmp_path, monkeypatch, capsys)
    shell.authority("init", "--name", "test")
    for number in (SERVER, CLIENT):
        shell.authority("issue", number, "--activation-code", "-", "--seats", "8", stdin=f"{CODES[number]}\n")
    return shell


def documented(number: str, code: str) -> list[str]:
    """The vendor's documented command, word for word."""
    return ["--nodelock-activate", number, "--type", "machine", "--activation-code", code, "--add-license"]


def test_the_vendors_two_documented_commands_do_what_they_say(shell: Shell) -> None:
    code, out, err = shell.licman("old", *documented(SERVER, CODES[SERVER]))
    assert (code, err) == (DONE, "")
    assert SERVER in out and "Active" in out
    assert CODES[SERVER] not in out
    code, out, err = shell.licman("old", "--profile-add", "PROServer", "--license", SERVER)
    assert (code, err) == (DONE, "")
    assert "PROServer" in out
    assert ("PROServer", SERVER) in [(one["name"], one["license"]) for one in shell.overview("old")["profiles"]]


def test_a_renewed_license_is_fetched(shell: Shell) -> None:
    shell.licman("old", *documented(SERVER, CODES[SERVER]))
    shell.authority("reissue", SERVER, "--seats", "12")
    code, _out, err = shell.licman("old", "--nodelock-update", SERVER)
    assert (code, err) == (DONE, "")
    (license,) = shell.overview("old")["licenses"]
    assert (license["seats"], license["status"], license["transfers"]["left"]) == (12, "Active", 3)


def test_a_code_is_taken_from_standard_input(shell: Shell) -> None:
    assert shell.licman("old", *documented(SERVER, "-"), stdin=f"{CODES[SERVER].lower()}\n")[0] == DONE
    assert shell.overview("old")["licenses"][0]["status"] == "Active"


@pytest.mark.parametrize("stdin", ["", "\n", "SECRT\n", "\x00" * 50, "SECRT-" * 1000])
def test_no_code_on_standard_input_is_refused_without_repeating_it(shell: Shell, stdin: str) -> None:
    code, out, err = shell.licman("old", *documented(SERVER, "-"), stdin=stdin)
    assert (code, out) == (REFUSED, "")
    assert "not five groups" in err and "SECRT" not in err


def test_a_code_on_standard_input_that_is_no_text_is_refused(shell: Shell) -> None:
    core = Path(str(_licensing.__file__)).parents[6]
    script = f"import sys; from {_licensing.__name__}.cli import main; sys.exit(main(sys.argv[1:]))"
    home = ["--home", HOME, "--root", str(shell.folder / "old"), "--authority", f"ledger:{shell.ledger}"]
    for rest in (
        ["licman", *documented(SERVER, "-"), *home],
        ["authority", "issue", "015.120.064.023", "--activation-code", "-", "--ledger", shell.ledger],
    ):
        done = subprocess.run(
            [sys.executable, "-c", script, *rest],
            input=b"\xff\xfe\x80\n",
            env={"PYTHONPATH": str(core), "PYTHONIOENCODING": "utf-8:strict"},
            capture_output=True,
            check=False,
        )
        assert done.returncode == REFUSED, done.stderr
        assert b"Traceback" not in done.stderr
        assert b"activation code" in done.stderr


def test_a_move_by_hand_with_the_commands(shell: Shell) -> None:
    shell.licman("old", *documented(SERVER, CODES[SERVER]), "--profile", "PROServer")
    assert shell.licman("new", *documented(SERVER, CODES[SERVER]))[0] == REFUSED
    assert shell.licman("old", "--maintenance", "on")[0] == DONE
    assert shell.licman("old", "--nodelock-deactivate", SERVER)[0] == DONE
    assert shell.licman("old", "--nodelock-deactivate", SERVER)[0] == DONE
    assert shell.licman("new", *documented(SERVER, CODES[SERVER]), "--profile", "PROServer")[0] == DONE
    assert shell.overview("old")["licenses"][0]["status"] == "Inactive Nodelock"
    assert shell.overview("new")["licenses"][0]["status"] == "Active"
    assert shell.overview("new")["profiles"][0]["name"] == "PROServer"
    (row,) = [row for row in shell.authority("list") if row["number"] == SERVER]
    assert (row["live"], row["transfers"]["left"]) == (True, 2)
    assert shell.licman("new", "--profile-remove", "PROServer")[0] == DONE
    assert shell.overview("new")["profiles"] == []


def test_an_offline_exchange_waits_with_exit_code_3_and_ends_with_0(shell: Shell) -> None:
    realm = shell.authority("list") and shell.authority("audit")[0]
    assert realm["event"] == "init"
    shell.licman("old", *documented(CLIENT, CODES[CLIENT]))
    give = ["--nodelock-deactivate", CLIENT, "--authority", "offline", "--request-dir", str(shell.folder)]
    code, out, err = shell.licman("old", *give)
    request = shell.folder / "015120055014.request"
    assert (code, err) == (WAITING, "")
    assert str(request) in out and "--response FILE" in out
    assert request.stat().st_mode & 0o777 == 0o600
    content = request.read_bytes()
    code, out, err = shell.licman("old", *give, "--json")
    assert (code, json.loads(out)["requests"]) == (WAITING, [str(request)])
    assert request.read_bytes() == content

    ledger = Path(shell.ledger).read_bytes()
    unseen = shell.authority("status", str(request))
    assert (unseen["processed"], unseen["action"], unseen["answered"]) == (False, "deactivate", None)
    assert "Process it" in unseen["todo"] and Path(shell.ledger).read_bytes() == ledger
    answered = shell.authority("process", str(request))
    response = shell.folder / "015120055014.response"
    assert (answered["outcome"], answered["response"]) == ("granted", str(response))
    assert answered["repeated"] is False
    first = response.read_bytes()
    # The response is lost. The authority knows that it was given, and gives it again.
    ledger = Path(shell.ledger).read_bytes()
    seen = shell.authority("status", str(request))
    assert (seen["processed"], seen["outcome"], seen["answered"]) == (True, "granted", answered["answered"])
    assert "you get the same response" in seen["todo"]
    again = shell.authority("process", str(request), "--out", str(shell.folder / "new"))
    assert (shell.folder / "new" / response.name).read_bytes() == first
    assert (again["repeated"], again["answered"]) == (True, answered["answered"])
    assert Path(shell.ledger).read_bytes() == ledger

    code, out, err = shell.licman("old", *give, "--response", str(response))
    assert code == DONE
    assert shell.overview("old")["licenses"][0]["status"] == "Inactive Nodelock"


def test_a_refused_request_is_answered_in_words(shell: Shell) -> None:
    shell.licman("old", *documented(SERVER, CODES[SERVER]))
    ask = [*documented(SERVER, CODES[SERVER]), "--authority", "offline", "--request-dir", str(shell.folder)]
    config = shell.folder / "new" / HOME.lstrip("/") / "Config/server.json"
    realm = json.loads((shell.folder / "old" / HOME.lstrip("/") / "Config/server.json").read_text())["realm"]
    config.write_text(json.dumps({"realm": realm}))
    assert shell.licman("new", *ask)[0] == WAITING
    answered = shell.authority("process", str(shell.folder / "015120064022.request"))
    assert (answered["outcome"], answered["reason"]) == ("refused", f"License {SERVER} is live on another machine.")
    code, out, err = shell.licman("new", *ask, "--response", str(shell.folder / "015120064022.response"))
    assert (code, out) == (REFUSED, "")
    assert "is live on another machine" in err
    assert shell.overview("new")["pending"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["licman"],
        ["licman", "--nodelock-activate"],
        ["licman", "--overview", "--maintenance", "on"],
        ["licman", "--maintenance", "maybe"],
        ["licman", "--nodelock-activate", SERVER, "--type", "floating"],
        ["licman", "--unknown"],
        ["authority"],
        ["authority", "issue", SERVER, "--ledger", "x"],
        ["authority", "list"],
        ["other"],
    ],
)
def test_wrong_usage_has_exit_code_2_and_says_so(shell: Shell, arguments: list[str]) -> None:
    code, out, err = shell.run(*arguments)
    assert (code, out) == (USAGE, "")
    assert "usage:" in err


def test_help_and_version_have_exit_code_0(shell: Shell) -> None:
    assert shell.run("licman", "--version")[:2] == (DONE, f"{VERSION}\n")
    for command in (["licman", "--help"], ["authority", "--help"], ["authority", "issue", "--help"]):
        code, out, err = shell.run(*command)
        assert (code, err) == (DONE, "")
        assert "usage:" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nodelock-activate", "15", "--activation-code", "x", "--add-license"], "not a license number"),
        (["--nodelock-activate", "", "--activation-code", "x", "--add-license"], "not a license number"),
        (["--nodelock-deactivate", ""], "not a license number"),
        (["--profile-add", "", "--license", SERVER], "not a profile name"),
        (["--profile-remove", ""], "not a profile name"),
        (["--nodelock-activate", SERVER, "--add-license"], "The activation code is missing"),
        (["--nodelock-activate", SERVER, "--activation-code", CODES[SERVER]], "is not installed here"),
        (documented(SERVER, WRONG_CODE), "knows no license"),
        ([*documented(SERVER, CODES[SERVER]), "--profile", "bad/name"], "not a profile name"),
        ([*documented(SERVER, CODES[SERVER]), "--authority", "https://example.com"], "the realm has no ca"),
        ([*documented(SERVER, CODES[SERVER]), "--authority", "ledger:/nowhere.db"], "no ledger of an authority"),
        ([*documented(SERVER, CODES[SERVER]), "--response", "/nowhere/x.response"], "No such file"),
        (["--nodelock-deactivate", SERVER], "is not installed here"),
        (["--profile-add", "PROServer"], "The license of the profile is missing"),
        (["--profile-add", "a/b", "--license", SERVER], "not a profile name"),
        (["--profile-add", "PROServer", "--license", SERVER], "which is not installed"),
        (["--profile-remove", "a/b"], "not a profile name"),
    ],
)
def test_what_is_refused_has_exit_code_1_and_changes_nothing(shell: Shell, arguments: list[str], said: str) -> None:
    before = shell.overview("old")
    for output in ([], ["--json"]):
        code, out, err = shell.licman("old", *arguments, *output)
        assert code == REFUSED
        told = out if output else err
        assert said in told
        assert CODES[SERVER] not in told and WRONG_CODE not in told
        if output:
            assert all({"what", "where", "todo"} == set(problem) for problem in json.loads(out)["problems"])
    assert {**shell.overview("old"), "server": {}} == {**before, "server": {}}


def test_looking_needs_no_authority(shell: Shell) -> None:
    for extra in (["--overview"], ["--maintenance", "off"]):
        assert shell.licman("old", *extra, "--authority", "ledger:/nowhere.db")[0] == DONE


class TestAuthority:
    def test_a_code_is_never_taken_as_an_argument(self, shell: Shell) -> None:
        records = len(shell.authority("audit"))
        arguments = ["issue", "015.120.064.023", "--activation-code", CODES[CLIENT]]
        refused = shell.authority(*arguments, code=REFUSED)
        assert "must not be an argument" in refused["problems"][0]["what"]
        assert CODES[CLIENT] not in json.dumps(refused)
        assert len(shell.authority("audit")) == records

    def test_a_new_code_is_written_to_a_new_file_for_its_owner_only(self, shell: Shell) -> None:
        file = shell.folder / "code"
        issued = shell.authority("issue", "015.120.064.023", "--code-file", str(file))
        code = file.read_text(encoding="utf-8").strip()
        assert re.fullmatch(r"[A-Z2-9]{5}(-[A-Z2-9]{5}){4}", code)
        assert file.stat().st_mode & 0o777 == 0o600
        assert code not in json.dumps(issued)
        assert shell.licman("old", *documented("015.120.064.023", "-"), stdin=code)[0] == DONE
        refused = shell.authority("issue", "015.120.064.024", "--code-file", str(file), code=REFUSED)
        assert "The file already exists" in refused["problems"][0]["what"]
        assert file.read_text(encoding="utf-8").strip() == code

    def test_a_license_is_issued_once_and_keeps_its_code(self, shell: Shell) -> None:
        before, file = shell.authority("list"), shell.folder / "code"
        for options in (["--code-file", str(file)], ["--activation-code", "-", "--seats", "99"]):
            refused = shell.authority("issue", SERVER, *options, stdin=f"{CODES[CLIENT]}\n", code=REFUSED)
            assert "is already issued" in refused["problems"][0]["what"]
            assert "authority reissue" in refused["problems"][0]["todo"]
        assert not file.exists()
        assert shell.authority("list") == before
        assert shell.authority("reissue", SERVER, "--seats", "99")["changed"]
        assert shell.licman("old", *documented(SERVER, CODES[SERVER]))[0] == DONE

    @pytest.mark.parametrize(
        "wrong",
        [
            ["--seats", "0"],
            ["--expiry", "soon"],
            ["--start", "2027-01-01", "--expiry", "2026-01-01"],
            ["--type", "\x1b[31m"],
        ],
    )
    def test_a_license_that_is_refused_leaves_no_code_behind(self, shell: Shell, wrong: list[str]) -> None:
        file = shell.folder / "code"
        shell.authority("issue", "015.120.064.023", "--code-file", str(file), *wrong, code=REFUSED)
        assert not file.exists()
        assert len(shell.authority("list")) == 2

    def test_a_code_that_cannot_be_written_issues_nothing(self, shell: Shell) -> None:
        shell.authority("issue", "015.120.064.023", "--code-file", str(shell.folder / "gone/code"), code=REFUSED)
        assert len(shell.authority("list")) == 2

    def test_a_ledger_is_not_made_twice(self, shell: Shell) -> None:
        assert "already" in shell.authority("init", code=REFUSED)["problems"][0]["what"]

    @pytest.mark.parametrize(
        "content",
        [b"", b"garbage", b"{}", b"[" * 60_000, b"\xff" * 100, b"x" * 100_000],
        ids=["empty", "text", "object", "deep", "bytes", "long"],
    )
    def test_a_garbage_request_is_refused_and_gets_no_response(self, shell: Shell, content: bytes) -> None:
        file = shell.folder / "x.request"
        file.write_bytes(content)
        refused = shell.authority("process", str(file), code=REFUSED)
        assert str(file) in refused["problems"][0]["where"]
        assert not list(shell.folder.glob("*.response"))

    def test_a_request_that_is_not_there_or_no_file_is_refused(self, shell: Shell) -> None:
        for path in (shell.folder / "gone.request", shell.folder, Path("/"), Path("/dev/null")):
            for command in ("process", "status"):
                assert shell.authority(command, str(path), code=REFUSED)["problems"]

    @pytest.mark.parametrize(
        "content", [b"", b"garbage" * 999, b"SQLite format 3\0" + b"\0" * 5000], ids=["empty", "text", "header"]
    )
    def test_a_garbage_ledger_is_refused_by_every_command(self, shell: Shell, content: bytes) -> None:
        Path(shell.ledger).write_bytes(content)
        for command in (["list"], ["audit"], ["process", "/dev/null"], ["issue", SERVER, "--activation-code", "-"]):
            assert shell.authority(*command, stdin=CODES[SERVER], code=REFUSED)["problems"]
        assert shell.licman("old", *documented(SERVER, CODES[SERVER]))[0] == REFUSED

    def test_the_audit_log_is_printed_for_people_too(self, shell: Shell) -> None:
        code, out, err = shell.run("authority", "audit", "--ledger", shell.ledger)
        assert (code, err) == (DONE, "")
        assert [line.split("event: ")[1].split()[0] for line in out.splitlines()] == ["init", "issue", "issue"]


def test_a_request_and_a_response_whose_line_ends_a_mail_changed_are_the_ones_that_they_were(shell: Shell) -> None:
    shell.licman("old", *documented(CLIENT, CODES[CLIENT]))
    give = ["--nodelock-deactivate", CLIENT, "--authority", "offline", "--request-dir", str(shell.folder)]
    assert shell.licman("old", *give)[0] == WAITING
    original, mailed = shell.folder / "015120055014.request", shell.folder / "mailed.request"
    mailed.write_bytes(original.read_bytes().replace(b"\n", b"\r\n"))
    assert shell.authority("process", str(mailed))["outcome"] == "granted"
    response = shell.folder / "015120055014.response"
    signed = response.read_bytes()
    again = shell.authority("process", str(original))
    assert (again["repeated"], response.read_bytes()) == (True, signed)
    response.write_bytes(signed.replace(b"\n", b"\r\n"))
    assert shell.licman("old", *give, "--response", str(response))[0] == DONE
    assert shell.overview("old")["licenses"][0]["status"] == "Inactive Nodelock"
