# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Browsers and mail programs rename what they save: a response is used whatever its name is, or its file is named."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import terminal
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.plugins.plugin_utils._offline import folder as _offline
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import RequestFolder, is_like_request
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    NUMBERS,
    SERVER,
    SESSION,
    CoreLab,
    declared,
)

STEM = digits(SERVER)
RENAMED = [
    f"{STEM}.response.txt",
    f"{STEM} (1).response",
    f"{STEM}.response.response",
    f"{STEM}.RESPONSE",
    f"{STEM}.response (2)",
    f"Copy of {STEM}.response",
    f"{STEM}.txt",
    "noname",
    f"{digits(SESSION)}.response",
]


@pytest.fixture
def lab(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreLab]:
    lab = CoreLab(tmp_path, CoreLab.new_ledger(tmp_path_factory.mktemp("ledger")))
    yield lab
    lab.close()


class Pair:
    """A controller's folder of requests, and the host that they come from."""

    def __init__(self, lab: CoreLab) -> None:
        self.lab, self.place = lab, lab.folder / "requests"
        self.folder = RequestFolder(self.place)

    def turn(self, *numbers: str) -> str | None:
        """One run of the controller: response files to the host, request files back; return the next step."""
        numbers = numbers or (SERVER,)
        there = {one["number"]: base64.b64decode(one["content"]) for one in self.folder.responses(numbers)}
        change = self.lab.new.manager.activate(
            Activation(declared(*numbers), realm=self.lab.realm), self.lab.offline(there)
        )
        return self.folder.take(change.requests, numbers)

    def request(self, number: str = SERVER) -> bytes:
        return (self.place / f"{digits(number)}.request").read_bytes()

    def answer(self, number: str = SERVER) -> bytes:
        return self.lab.desk(online=False).answer(self.request(number))

    def write(self, name: str, content: bytes) -> None:
        (self.place / name).write_bytes(content)

    def files(self) -> list[str]:
        return sorted(path.relative_to(self.place).as_posix() for path in self.place.rglob("*") if path.is_file())

    @property
    def done(self) -> list[str]:
        return [name for name in self.files() if name.startswith("done/")]


@pytest.fixture
def pair(lab: CoreLab) -> Pair:
    pair = Pair(lab)
    pair.turn()
    return pair


@pytest.mark.parametrize("name", RENAMED)
def test_a_response_that_was_saved_under_another_name_is_applied_and_put_among_the_done_ones(
    pair: Pair, name: str
) -> None:
    mark = json.loads(pair.request())["body"]["id"]
    pair.write(name, pair.answer())
    assert pair.folder.at_hand([SERVER, SESSION]) >= {SERVER}
    assert pair.turn() is None
    assert pair.lab.new.served() == {STEM}
    assert pair.files() == [f"done/{STEM}-{mark}.request", f"done/{STEM}-{mark}.response"]


def test_the_one_that_answers_is_used_where_another_has_the_name(pair: Pair) -> None:
    good = pair.answer()
    for wrong in (
        good[:100],
        b"",
        good.replace(b'"granted"', b'"refused"').replace(b'"request_id":"', b'"request_id":"a'),
    ):
        pair.write(f"{STEM}.response", wrong)
        pair.write(f"{STEM} (1).response", good)
        assert base64.b64decode(pair.folder.responses([SERVER])[0]["content"]) == good
    assert pair.turn() is None and pair.lab.new.served() == {STEM}
    (kept, other) = [(pair.place / name).read_bytes() for name in pair.done if name.endswith(".response")]
    assert {kept, other} == {good, wrong} and (pair.place / pair.done[-1]).read_bytes() == good


def test_copies_of_a_response_all_go_with_their_request(pair: Pair) -> None:
    for name in (f"{STEM}.response", f"{STEM} (1).response", f"{STEM}.response.txt"):
        pair.write(name, pair.answer())
    assert pair.turn() is None
    assert [name for name in pair.files() if not name.startswith("done/")] == []


def test_responses_in_each_others_place_are_applied_where_they_belong(lab: CoreLab) -> None:
    pair = Pair(lab)
    pair.turn(SERVER, SESSION)
    pair.write(f"{digits(SESSION)}.response", pair.answer(SERVER))
    pair.write(f"{STEM}.response", pair.answer(SESSION))
    assert pair.turn(SERVER, SESSION) is None
    assert lab.new.served() == {STEM, digits(SESSION)}


@pytest.mark.parametrize("name", [f"{STEM}.response.zip", f"{STEM}.response.html", f"{STEM} (1).response"])
def test_a_response_that_cannot_be_used_is_named(pair: Pair, name: str) -> None:
    pair.write(name, b"PK\x03\x04")
    step = pair.turn()
    assert step is not None and f"No response to a request that waits is in '{name}'" in step
    pair.write(f"{STEM}.response.txt", pair.answer())
    assert pair.turn() is None


def test_responses_to_other_requests_of_the_folder_are_not_called_strange(lab: CoreLab) -> None:
    pair = Pair(lab)
    pair.turn(SERVER, SESSION)
    pair.write(f"{digits(SESSION)}.response.txt", pair.answer(SESSION))
    step = pair.folder.take({SERVER: pair.request()}, [])
    assert step is not None and "No response" not in step


@pytest.mark.parametrize(
    "name",
    [f"{STEM}.request", f"{STEM}.request.txt", f"{STEM} (1).request", f"{STEM}.REQUEST", f"Copy of {STEM}.request"],
)
def test_a_request_file_is_handed_over_whatever_a_mail_program_called_it(pair: Pair, name: str) -> None:
    (pair.place / f"{STEM}.request").rename(pair.place / name)
    folder, realm = Folder(pair.place), Realm.from_dict(pair.lab.realm.as_dict(), "test")
    assert is_like_request(name)
    (request,) = _offline.read_requests(folder, realm, [name])
    assert (request.number, request.response_name) == (SERVER, f"{STEM}.response")
    pair.write(f"{STEM} (9).request", request.content)
    assert len(_offline.read_requests(folder, realm, [name, f"{STEM} (9).request"])) == 1


def test_notes_beside_the_requests_are_left_alone(pair: Pair) -> None:
    assert not any(map(is_like_request, ["request.txt", "notes.request", "0151200640221.request", "README", "done"]))
    pair.write("README.txt", b"Ask Anna for the responses.")
    step = pair.turn()
    assert step is not None and "README" not in step


def test_a_command_names_the_file_that_is_meant(tmp_path: Path) -> None:
    (tmp_path / f"{STEM}.response.txt").write_bytes(b"x")
    with pytest.raises(LicensingError, match=rf"The file does not exist, but there is '{STEM}.response.txt'"):
        terminal.read_file(str(tmp_path / f"{STEM}.response"))
    with pytest.raises(LicensingError, match="Cannot read it: No such file"):
        terminal.read_file(str(tmp_path / f"{digits(NUMBERS[1])}.response"))
    assert terminal.read_file(str(tmp_path / f"{STEM}.response.txt")) == b"x"
