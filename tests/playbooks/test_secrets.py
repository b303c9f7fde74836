# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No activation code and no private key anywhere but where it belongs, at any verbosity, in any common disguise."""

from __future__ import annotations

import base64
import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from lab import NUMBERS, Lab, Run, Started, must, new_code


def pem_of(lab: Lab) -> bytes:
    """The realm's private key."""
    with contextlib.closing(sqlite3.connect(f"file:{lab.ledger}?mode=ro", uri=True)) as ledger:
        return bytes(ledger.execute("SELECT private_key FROM realm").fetchone()[0])


def inner(pem: bytes) -> bytes:
    """What stands between the markers of a PEM file: short enough for one line."""
    lines = [line for line in pem.splitlines() if line and not line.startswith(b"-----")]
    return b"".join(lines)


def seed(pem: bytes) -> bytes:
    """The 32 bytes that make an Ed25519 key."""
    return base64.b64decode(inner(pem))[-32:]


def disguises(secret: bytes) -> set[bytes]:
    """The secret in plain, base64 (whatever stands before it), hex and URL encoding."""
    made = {secret, secret.hex().encode(), secret.hex().upper().encode(), quote_plus(secret).encode()}
    for shift in range(3):
        # The first and last letters also depend on the neighbours; those between do not.
        encoded = base64.b64encode(bytes(shift) + secret)
        made.add(encoded[4 if shift else 0 :].rstrip(b"=")[:-2])
        made.add(base64.urlsafe_b64encode(bytes(shift) + secret)[4 if shift else 0 :].rstrip(b"=")[:-2])
    return {one for one in made if len(one) >= 12}


def keys(lab: Lab) -> dict[str, bytes]:
    """The private keys there are by now."""
    found = {"realm": pem_of(lab)} if lab.ledger.exists() else {}
    for place in lab.folder.glob("hosts/*/opt/*/Config/host.key"):
        found[str(place.relative_to(lab.folder))] = place.read_bytes()
    return found


def secrets_of(lab: Lab) -> dict[str, set[bytes]]:
    made: dict[str, set[bytes]] = {}
    for number, code in lab.codes.items():
        made[f"code of {number}"] = disguises(code.encode()) | disguises(code.replace("-", "").encode())
    for name, pem in keys(lab).items():
        made[f"key {name}"] = disguises(inner(pem)) | disguises(seed(pem))
    return made


class Watch:
    """Looks at the command lines of a run's processes, over and over."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()

    @contextlib.contextmanager
    def over(self, started: Started) -> Iterator[None]:
        stop = threading.Event()

        def look() -> None:
            while not stop.is_set():
                for process in started.processes():
                    with contextlib.suppress(OSError):
                        self.seen.add(Path(f"/proc/{process}/cmdline").read_bytes())
                stop.wait(0.02)

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def leaks(lab: Lab, outputs: dict[str, bytes]) -> list[str]:
    """Where a secret stands that does not belong there."""
    allowed = {lab.ledger, lab.folder / "vault-password", lab.folder / "group_vars" / "all" / "vault.yml"}
    allowed |= set(lab.folder.glob("hosts/*/opt/*/Config/host.key"))
    contents = dict(outputs)
    for path in lab.folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path not in allowed:
            contents[str(path.relative_to(lab.folder))] = path.read_bytes()
    found = []
    for name, forms in secrets_of(lab).items():
        found += [f"{name} in {place}" for place, content in contents.items() if any(form in content for form in forms)]
    # The ledger holds the realm's key and what proves the codes, but no code and no host's key.
    for name, forms in secrets_of(lab).items():
        if name != "key realm" and any(form in lab.ledger.read_bytes() for form in forms):
            found.append(f"{name} in the ledger")
    return found


def run_watched(lab: Lab, watch: Watch, playbook: str, *options: str, **environment: str) -> Run:
    started = lab.start(playbook, "-vvvv", "--diff", *options, **environment)
    with watch.over(started):
        return started.wait()


def test_the_search_finds_what_it_is_for(rehearsed: Lab) -> None:
    assert leaks(rehearsed, {}) == []
    code, pem = rehearsed.codes[NUMBERS[0]], next(iter(keys(rehearsed).values()))
    for hidden in (
        code.encode(),
        b"x" + code.replace("-", "").encode() + b"x",
        base64.b64encode(b"{'code': '" + code.encode() + b"'}"),
        base64.b64encode(b"some" + pem + b"thing"),
        pem,
        seed(pem),
        seed(pem).hex().encode(),
        code.encode().hex().upper().encode(),
    ):
        assert leaks(rehearsed, {"output": b"before " + hidden + b" after"}), hidden
    (rehearsed.folder / "left").write_bytes(b"..." + code.encode())
    assert leaks(rehearsed, {})


@pytest.mark.parametrize("pipelining", ["true", "false"])
def test_nothing_leaks_at_any_verbosity(lab: Lab, pipelining: str) -> None:
    watch, outputs = Watch(), {}
    environment = {"ANSIBLE_PIPELINING": pipelining, "ANSIBLE_LOG_PATH": str(lab.folder / "ansible.log")}
    prepared = must(run_watched(lab, watch, "rehearse", "--tags", "prepare", **environment))
    outputs["rehearse"] = prepared.output.encode()
    outputs["check"] = must(run_watched(lab, watch, "migrate", "--check", **environment)).output.encode()
    outputs["migrate"] = must(run_watched(lab, watch, "migrate", **environment)).output.encode()
    outputs["reconcile"] = must(run_watched(lab, watch, "reconcile", **environment)).output.encode()
    assert lab.held("new") == set(NUMBERS)
    assert len(watch.seen) > 5
    outputs["command lines"] = b"\n".join(watch.seen)
    assert leaks(lab, outputs) == []


@pytest.mark.parametrize("pipelining", ["true", "false"])
def test_nothing_leaks_from_runs_that_fail(rehearsed: Lab, pipelining: str) -> None:
    watch, outputs = Watch(), {}
    environment = {"ANSIBLE_PIPELINING": pipelining}

    # the budget is spent
    with contextlib.closing(sqlite3.connect(rehearsed.ledger)) as ledger:
        at = ledger.execute("SELECT at FROM audit ORDER BY serial DESC LIMIT 1").fetchone()[0]
        ledger.executemany("INSERT INTO transfer VALUES (?, 'machine', ?)", [(NUMBERS[0], at)] * 3)
        ledger.commit()
    before = rehearsed.everything()
    run = run_watched(rehearsed, watch, "migrate", **environment)
    assert run.code != 0 and "has spent its 3 transfers" in run.output
    outputs["budget"] = run.output.encode()

    # the code is another license's, or nobody's: a code that was tried is a secret too
    licenses = rehearsed.target_vars["aims_license_server_licenses"]
    wrong = new_code()
    rehearsed.codes["a wrong code"] = wrong
    for at, code in enumerate((wrong, rehearsed.codes[NUMBERS[0]])):
        rehearsed.target_vars["aims_license_server_licenses"] = [
            licenses[0],
            {**licenses[1], "activation_code": "{{ tried }}"},
            licenses[2],
        ]
        rehearsed.write_inventory()
        secret = rehearsed.folder / "group_vars" / "all" / "vault.yml"
        kept = secret.read_bytes()
        vault = rehearsed.secrets()
        secret.write_bytes(vault.encrypt(vault.decrypt(kept) + f"tried: {code}\n".encode()))
        for playbook in ("migrate", "reconcile"):
            run = run_watched(rehearsed, watch, playbook, **environment)
            assert run.code != 0 and "activation code" in run.output, run.output
            outputs[f"{playbook} {at}"] = run.output.encode()
        secret.write_bytes(kept)
    outputs["command lines"] = b"\n".join(watch.seen)
    assert leaks(rehearsed, outputs) == []
    after = rehearsed.everything()
    assert {place: seen for place, seen in after.items() if place.startswith("hosts/old/")} == {
        place: seen for place, seen in before.items() if place.startswith("hosts/old/")
    }
    assert rehearsed.held("old") == set(NUMBERS)
