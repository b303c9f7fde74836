# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Offline migrations between hosts that have no way to an authority."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hosts.inbox import Inbox
from hosts.machines import OFFLINE, ONLINE, Site
from hosts.rig import LEDGER, Rig
from hosts.walks import serve_authority, source_play, until
from support.lab import GRANTS, HOME, NUMBERS, Lab
from support.runs import Run, must


@pytest.fixture
def rig(site: Site, tmp_path: Path) -> Iterator[Rig]:
    """A source and a target without a way to anywhere, and a host for an authority; nothing on them."""
    with Rig(site, tmp_path / "rig", source=OFFLINE, target=OFFLINE, authority=ONLINE) as made:
        made.inventory["all"]["vars"]["aims_license_server_authority"] = "offline"
        made.write_inventory()
        yield made


def set_desk_up(rig: Rig) -> None:
    """Install an authority beside the inventory, on the controller, and let the hosts honour it."""
    rig.make_root("desk")
    here = {"ansible_python_interpreter": "{{ ansible_playbook_python }}", "ansible_become": False}
    tasks = [
        {
            "name": "Install the commands",
            "aims.licensing.aims_license_server_install": {"home": HOME, "root": str(rig.root("desk"))},
        },
        {
            "name": "Issue rehearsal licenses",
            "aims.licensing.aims_license_authority": {
                "authority": f"ledger:{rig.ledger}",
                "licenses": "{{ aims_license_server_licenses }}",
                "details": GRANTS,
            },
            "register": "authority",
        },
        {
            "name": "Keep the realm",
            "ansible.builtin.copy": {
                "content": "{{ authority.realm }}",
                "dest": str(rig.folder / "realm.json"),
                "mode": "0600",
            },
        },
    ]
    must(rig.play(rig.write_play("authority", "localhost", tasks, connection="local", vars=here)))
    realm = json.loads((rig.folder / "realm.json").read_text(encoding="utf-8"))
    rig.inventory["all"]["vars"]["aims_license_server_realm"] = realm
    rig.write_inventory()


def set_source_up(rig: Rig, carry: Callable[[Rig], object]) -> None:
    """Have the licenses activated on the source, the offline way."""
    play = source_play(rig)
    stopped(rig.play(play))
    carry(rig)
    must(rig.play(play))
    assert rig.held("source") == set(NUMBERS)


def serve_authority_beyond(rig: Rig, mails: Inbox) -> None:
    """Serve an authority where the controller reaches it and the hosts do not, with licenses; name its page."""
    serve_authority(rig, smtp=f"{mails.hostname}:{mails.port}", mail_from="authority@example.com")
    task = {
        "name": "Issue rehearsal licenses",
        "aims.licensing.aims_license_authority": {
            "authority": f"ledger:{LEDGER}",
            "licenses": "{{ aims_license_server_licenses }}",
            "details": GRANTS,
        },
    }
    must(rig.play(rig.write_play("issue", "authority", [task])))
    variables = rig.inventory["all"]["vars"]
    variables["aims_license_server_portal"] = f"https://{rig['authority'].address}:8443"
    variables["aims_license_server_portal_email"] = "licenses@example.com"
    rig.write_inventory()


def carry_by_hand(rig: Rig) -> None:
    """Be the person who has the requests processed, and puts the responses beside them."""
    for request in sorted((rig.work / "offline").glob("*.request")):
        command = [str(rig.home("desk") / "Bin" / "authority"), "process", str(request), "--ledger", str(rig.ledger)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)


def stopped(run: Run) -> None:
    """The run stopped because responses are missing, and says what to do."""
    assert run.code != 0 and "Traceback" not in run.output, run.output
    assert "3 request(s) wait in" in run.output.replace("\n", " "), run.output


def test_by_hand(rig: Rig) -> None:
    set_desk_up(rig)
    set_source_up(rig, carry_by_hand)

    # A request that waits keeps nobody from his seat, and nothing from moving.
    rig.licman("source", "--nodelock-update", NUMBERS[0], "--authority", "offline")
    for profile in ("PROServer", "PROSession"):
        taken = rig.licman("source", "--seat-take", profile, "--user", "AIMS\\\\anna")
        assert rig.licman("source", "--seat-release", taken["seat"])["released"] is True
    shown = rig.curl("source", "http://127.0.0.1:3401/v1/overview").json
    assert [one["number"] for one in shown["pending"]] == NUMBERS[:1]

    stopped(rig.play("migrate"))
    assert rig.held("source") == rig.held("target") == set()
    carry_by_hand(rig)
    stopped(rig.play("migrate"))
    carry_by_hand(rig)
    must(rig.play("migrate"))
    assert rig.held("target") == set(NUMBERS) and rig.held("source") == set()
    assert Lab.transfers(rig) == dict.fromkeys(NUMBERS, 1)
    overview = rig.licman("target", "--overview")["overview"]
    assert {one["status"] for one in overview["licenses"]} == {"Active"}

    before = {host: rig.digests(host, HOME) for host in ("source", "target")}
    assert must(rig.play("migrate")).changed == 0
    assert {host: rig.digests(host, HOME) for host in ("source", "target")} == before


def test_by_the_page(rig: Rig) -> None:
    """The controller walks to the authority's page for hosts that have no way to it: one run, no stop."""
    with Inbox(rig.site.here(ONLINE)) as mails:
        serve_authority_beyond(rig, mails)
        for host in ("source", "target"):
            assert rig.curl(host, f"https://{rig['authority'].address}:8443/v1/realm").status == 0
        must(rig.play(source_play(rig)))
        assert rig.held("source") == set(NUMBERS)

        def state() -> object:
            return [rig.digests(host, "/opt", "/etc") for host in ("source", "target")], rig.transfers()

        before = state()
        must(rig.play("migrate", "--check"))
        assert state() == before

        must(rig.play("migrate"))
        assert rig.held("target") == set(NUMBERS) and rig.held("source") == set()
        assert rig.transfers() == dict.fromkeys(NUMBERS, 1)
        unit = rig.unit("target")
        assert (unit["is-enabled"], unit["is-active"]) == ("enabled", "active")
        taken = rig.licman("target", "--seat-take", "PROSession", "--user", "AIMS\\\\anna")
        assert taken["license"] == "015.120.065.016"
        released = rig.licman("target", "--seat-release", taken["seat"])
        assert released["released"] is True
        assert must(rig.play("migrate")).changed == 0

        # what came by the page came by mail as well: to activate, to give back, to activate
        done = {path.read_bytes() for path in (rig.work / "offline" / "done").glob("*.response")}
        assert len(done) == 3 * len(NUMBERS)
        until(lambda: len(mails.attachments) == len(done))
        assert set(mails.attachments) == done
        assert set(mails.recipients) == {"licenses@example.com"}
