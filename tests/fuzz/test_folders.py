# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of offline requests, with anything in it: told, and nothing outside of it is read or changed."""

from __future__ import annotations

import base64
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import (
    RequestFolder,
    read_requests,
    returned_requests,
)
from ansible_collections.aims.licensing.tests.fuzz.counting import give, runs
from ansible_collections.aims.licensing.tests.fuzz.shapes import EDIT, batch, edited, mostly
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    NUMBERS,
    CoreLab,
    declared,
)
from hypothesis import given
from hypothesis import strategies as st

_BATCH = 10
FORMAT = "folder of requests"
NAMES = [f"{digits(number)}.{kind}" for number in NUMBERS for kind in ("request", "response")] + ["done", "x"]
KINDS = ["file"] * 8 + ["directory", "elsewhere", "dangling", "itself", "fifo", "unreadable", "huge"]
CONTENTS = ["own", "own", "other", "response", "", "junk"]
ENTRIES = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(st.sampled_from(KINDS), st.sampled_from(CONTENTS), mostly(None, EDIT, 2)),
    max_size=5,
)
# Numbers that a module's result may name, as the hosts of a playbook are not asked whether they are in order.
TOLD = st.lists(st.sampled_from([*NUMBERS, "../x", "../../x", "/etc/x", "", ".", "\0", "\ud800", "a/b"]), max_size=3)


@dataclass
class Carried:
    """Request files in order, and their responses."""

    realm: Realm
    requests: dict[str, bytes]
    responses: dict[str, bytes]


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory, new_ledger: bytes) -> Carried:
    lab = CoreLab(tmp_path_factory.mktemp("carried"), new_ledger)
    requests: dict[str, bytes] = {}
    for number in NUMBERS:
        host = lab.host(number, digits(number) + "0" * 20)
        requests.update(host.manager.activate(Activation(declared(number), realm=lab.realm), lab.offline()).requests)
    found = Carried(lab.realm, requests, lab.process(requests))
    lab.close()
    return found


def fill(place: Path, outside: Path, entries: Any, carried: Carried) -> None:
    place.mkdir()
    for name, (kind, content, edit) in entries.items():
        number = next((one for one in NUMBERS if name.startswith(digits(one))), NUMBERS[0])
        data = {
            "own": (carried.responses if name.endswith("response") else carried.requests)[number],
            "other": carried.requests[NUMBERS[-1]],
            "response": carried.responses[number],
            "junk": b"\xff" * 100,
        }.get(content, b"")
        path = place / name
        if kind == "directory":
            path.mkdir()
        elif kind in ("elsewhere", "dangling", "itself"):
            path.symlink_to({"elsewhere": outside / "there", "dangling": outside / "no", "itself": path}[kind])
        elif kind == "fifo":
            os.mkfifo(path)
        else:
            path.write_bytes(data if edit is None else edited(data, edit))
            if kind == "huge":
                os.truncate(path, 1 << 33)
            elif kind == "unreadable":
                path.chmod(0)


def look(folder: Path) -> dict[str, Any]:
    """What is in a folder, without following a link or reading what is no file or huge."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        small = path.is_file() and not path.is_symlink() and status.st_size < 1 << 20
        found[str(path.relative_to(folder))] = (status.st_mode, path.read_bytes() if small else status.st_size)
    return found


def test_whatever_lies_in_the_folder_of_requests_it_is_used_or_told(tmp_path: Path, carried: Carried) -> None:
    outside, place = tmp_path / "outside", tmp_path / "in" / "requests"
    outside.mkdir()
    place.parent.mkdir()
    (outside / "there").write_bytes(carried.requests[NUMBERS[0]])
    before_outside = look(outside)

    @runs(300, _BATCH)
    @given(batch(st.tuples(ENTRIES, TOLD, st.lists(st.sampled_from(NUMBERS), max_size=3, unique=True)), _BATCH))
    def check(inputs: list[Any]) -> None:
        for at, (entries, told, numbers) in enumerate(inputs):
            shutil.rmtree(place, ignore_errors=True)
            fill(place, outside, entries, carried)
            before = look(place)
            offline, folder = RequestFolder(place), Folder(place)
            result = [
                {"number": one, "content": base64.b64encode(carried.requests.get(one, b"x")).decode()}
                if at % 7
                else {"number": NUMBERS[0], "content": one}
                for one in told
            ]
            names = [name for name in entries if name.endswith(".request")]
            act = [
                lambda offline=offline: offline.responses(NUMBERS),
                lambda folder=folder, names=names: read_requests(folder, carried.realm, names),
                lambda offline=offline, result=result, numbers=numbers: offline.take(
                    returned_requests(result), [*numbers]
                ),
            ][at % 3]
            outcome = give(FORMAT, act)
            after = look(place)
            if at % 3 < 2:
                assert after == before
            elif isinstance(outcome, LicensingError):
                # What was settled before stays settled; whatever was there is there, or among the done ones.
                kept = {data for _mode, data in after.values()}
                assert all(data in kept for name, (_mode, data) in before.items() if name not in NAMES[:6])
            assert {name.partition("/")[0] for name in after} <= {*NAMES}
            if at % 3 == 0 and not isinstance(outcome, LicensingError):
                # Which request a response answers is read from the response, whatever its name is.
                there = [data for _mode, data in before.values()]
                for one in outcome:
                    data = base64.b64decode(one["content"])
                    named = before.get(f"{digits(one['number'])}.response")
                    is_named = named is not None and named[1] == data
                    assert data in there and (
                        is_named or documents.read(data, documents.RESPONSE, "").body["request_id"]
                    )
        assert look(outside) == before_outside
        assert [path.name for path in place.parent.iterdir()] == ["requests"]

    check()
