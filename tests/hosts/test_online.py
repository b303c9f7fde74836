# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration with an authority over HTTPS on a host of its own, and a client that has sessions while it happens."""

from __future__ import annotations

import base64
import json
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hosts.machines import Site
from hosts.rig import AUTHORITY, COMMANDS, LEDGER, SERVICE, Rig
from hosts.traces import HOST_KEY, SHOWN, Secrets, search, watch
from hosts.walks import URL, in_use, online, source_play, until
from support.events import Events, held, release
from support.lab import HOME, NUMBERS, new_code
from support.leaks import disguises
from support.runs import must

SESSIONS = 3


@pytest.fixture(scope="module")
def rig(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """An authority, a source that holds the licenses, a target with nothing on it, and a client."""
    with online(site, tmp_path_factory.mktemp("online") / "rig", "client") as made:
        yield made


@pytest.fixture(scope="module")
def secrets_known(rig: Rig) -> Secrets:
    """The codes, and the keys as soon as they are there; a host that gives everything back may make another one."""
    return Secrets(rig)


def take(rig: Rig, host: str, profile: str) -> tuple[str, int]:
    """Ask for a seat from the client; return its id and the answer's status."""
    seat = secrets.token_hex(16)
    body = {"profile": profile, "user": "AIMS\\zoe", "client": "client"}
    return seat, rig.curl("client", f"http://{host}:3400/v1/seats/{seat}", "PUT", body).status


def events(rig: Rig) -> list[dict[str, Any]]:
    return [json.loads(line) for line in rig["client"].run("cat /run/sessions.log").splitlines()]


def report(rig: Rig, name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((rig.work / "reports" / f"{name}.json").read_text(encoding="utf-8"))
    return data


def test_the_source_was_set_up_over_https(rig: Rig) -> None:
    assert rig.held("source") == set(NUMBERS)
    assert rig.transfers() == dict.fromkeys(NUMBERS, 0)
    unit = rig.unit("source")
    assert (unit["is-enabled"], unit["is-active"]) == ("enabled", "active")
    assert must(rig.play(source_play(rig))).changed == 0


def test_check_mode_changes_nothing(rig: Rig) -> None:
    before = rig.digests("source", HOME), rig.digests("authority", "/var/lib/aims-license-authority")
    run = must(rig.play("migrate", "--check", "--diff"))
    assert all(number in run.output for number in NUMBERS)
    assert (rig.digests("source", HOME), rig.digests("authority", "/var/lib/aims-license-authority")) == before
    assert rig["target"].ask(f"ls -d {HOME} /etc/systemd/system/{SERVICE}").stdout == ""


def test_a_session_that_does_not_end_stops_it(rig: Rig) -> None:
    seat, status = take(rig, "source", "PROServer")
    assert status == 200
    before = rig.unit("source")["MainPID"]
    run = rig.play("migrate", "-e", "aims_license_migrate_drain_seconds=2")
    assert run.code != 0 and "Traceback" not in run.output
    for word in ("AIMS\\\\zoe", "PROServer", "client", "still in use", "nothing was given up"):
        assert word in run.output, run.output
    # A drain of licenses is no maintenance mode, so that its end restarts nothing.
    assert rig.held("source") == set(NUMBERS) and rig.transfers() == dict.fromkeys(NUMBERS, 0)
    assert rig.unit("source")["MainPID"] == before
    assert rig.curl("client", f"http://source:3400/v1/seats/{seat}/heartbeat", "POST").json["maintenance"] is False
    assert rig.curl("client", f"http://source:3400/v1/seats/{seat}", "DELETE").status == 200


@pytest.mark.parametrize("how", ["interrupt", "kill"])
def test_a_controller_that_goes_away_during_the_drain_leaves_a_source_that_serves(rig: Rig, how: str) -> None:
    seat, status = take(rig, "source", "PROServer")
    assert status == 200
    run = rig.start("migrate")
    until(lambda: rig.curl("client", f"http://source:3400/v1/seats/{seat}/heartbeat", "POST").json["maintenance"], 180)
    time.sleep(5)
    getattr(run, how)()
    run.wait()
    # The last seat comes back when nobody is there.
    assert rig.curl("client", f"http://source:3400/v1/seats/{seat}", "DELETE").status == 200
    began = time.monotonic()
    while (taken := take(rig, "source", "PROServer"))[1] != 200:
        assert time.monotonic() < began + 75
        time.sleep(1)
    assert rig.curl("client", f"http://source:3400/v1/seats/{taken[0]}", "DELETE").status == 200
    assert rig.held("source") == set(NUMBERS) and rig.transfers() == dict.fromkeys(NUMBERS, 0)


def test_migration_with_sessions(rig: Rig) -> None:
    script = Path(__file__).with_name("sessions.py").read_text(encoding="utf-8")
    rig["client"].run("cat > sessions.py", script)
    rig["client"].run(
        "sudo -n systemd-run --unit=sessions --property=StandardOutput=truncate:/run/sessions.log "
        f"/usr/bin/python3 /home/ops/sessions.py source target PROSession {SESSIONS}"
    )
    until(lambda: in_use(rig, "source")["PROSession"] == SESSIONS)

    must(rig.play("migrate"))
    assert rig.held("target") == set(NUMBERS) and rig.held("source") == set()
    assert rig.transfers() == dict.fromkeys(NUMBERS, 1)
    unit = rig.unit("target")
    assert (unit["is-enabled"], unit["is-active"], unit["User"]) == ("enabled", "active", "aims-license")

    # the sessions were told, ended by themselves, and went on at the target
    until(lambda: len(events(rig)) == 3 * SESSIONS + 1)
    seen = events(rig)
    assert [one["status"] for one in seen if one["event"] == "held"] == [200] * SESSIONS
    assert [(one["status"], one["maintenance"]) for one in seen if one["event"] == "told"] == [(200, True)]
    assert [one["released"] for one in seen if one["event"] == "released"] == [True] * SESSIONS
    assert in_use(rig, "target")["PROSession"] == SESSIONS
    gap = min(one["at"] for one in seen if one["event"] == "granted") - max(
        one["at"] for one in seen if one["event"] == "released"
    )
    told = report(rig, "source-to-target")["without_service_seconds"]
    print(f"without a seat {gap:.1f} s, without service {told} s")

    # nobody gets anything on the source any more
    for profile in ("PROServer", "PROSession", "Client"):
        assert take(rig, "source", profile)[1] in (423, 503)
        seat, status = take(rig, "target", profile)
        assert status == 200
        assert rig.curl("client", f"http://target:3400/v1/seats/{seat}", "DELETE").status == 200


def test_second_run_changes_nothing(rig: Rig) -> None:
    def state() -> object:
        places = [f"{HOME}/{name}" for name in ("Bin", "Config", "Licenses", "Nodelocks", "Journal")]
        return [(rig.unit(host), rig.digests(host, *places, "/etc")) for host in ("source", "target")]

    before = state(), rig.transfers()
    assert must(rig.play("migrate")).changed == 0
    assert (state(), rig.transfers()) == before


def test_back_with_force(rig: Rig) -> None:
    # The sessions at the target are nobody's by now; they expire, but not within the time that is waited.
    seat, status = take(rig, "target", "Client")
    assert status == 200
    must(
        rig.play(
            "rollback", "-e", "aims_license_migrate_drain_seconds=1", "-e", "aims_license_migrate_drain_force=true"
        )
    )
    assert rig.held("source") == set(NUMBERS) and rig.held("target") == set()
    assert rig.transfers() == dict.fromkeys(NUMBERS, 2)
    assert rig.curl("client", f"http://target:3400/v1/seats/{seat}/heartbeat", "POST").status == 410
    seat, status = take(rig, "source", "Client")
    assert status == 200
    assert rig.curl("client", f"http://source:3400/v1/seats/{seat}", "DELETE").status == 200


def test_removal(rig: Rig, secrets_known: Secrets) -> None:
    """A server that has given its licenses up is removed; one that holds them is not."""
    secrets_known.gather()
    task = {
        "name": "Remove the license server",
        "aims.licensing.aims_license_server_install": {"home": HOME, "state": "absent"},
    }
    play = rig.write_play("remove", "source:target", [task])
    kept = rig.digests("target", f"{HOME}/Licenses", f"{HOME}/Journal")
    run = rig.play(play)
    assert {host: (counts["failed"], counts["changed"]) for host, counts in run.recap().items()} == {
        "source": (1, 0),
        "target": (0, 1),
    }
    assert rig.unit("source")["is-active"] == "active"
    assert rig.curl("target", "http://127.0.0.1:3401/v1/status").status == 0
    left = rig["target"].ask(f"ls -d /etc/systemd/system/{SERVICE} {HOME}/Bin/licman; systemctl --failed --no-legend")
    assert left.stdout == ""
    assert rig.digests("target", f"{HOME}/Licenses", f"{HOME}/Journal") == kept
    assert must(rig.play(play, "--limit", "target")).changed == 0


def test_authority(rig: Rig) -> None:
    unit = rig.unit("authority", AUTHORITY)
    assert (unit["is-enabled"], unit["is-active"]) == ("enabled", "active")
    assert unit["User"] not in ("", "root")
    told = rig["authority"].run(f"systemd-analyze security --no-pager {AUTHORITY}")
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told)
    assert exposure and float(exposure[1]) < 2.0, told
    rig["authority"].run(f"sudo -n {COMMANDS}/authority audit --ledger {LEDGER}")
    before = unit["MainPID"]
    assert must(rig.play("authority")).changed == 0
    assert rig.unit("authority", AUTHORITY)["MainPID"] == before


def test_authority_comes_back(rig: Rig) -> None:
    before = rig.unit("authority", AUTHORITY)["MainPID"]
    rig["authority"].run(f"sudo -n kill -9 {before}")
    ca = rig.inventory["all"]["vars"]["aims_license_server_realm"]["ca"]
    rig["client"].run("cat > ca.pem", ca)

    def answers() -> bool:
        return rig["client"].ask(f"curl --silent --fail --cacert ca.pem {URL}/v1/status").code == 0

    until(lambda: rig.unit("authority", AUTHORITY)["MainPID"] not in ("0", before) and answers())
    assert rig["authority"].reboot() == "running"
    until(answers)
    assert must(rig.play("migrate", "--check")).code == 0


def test_hosts_that_are_rebooted_in_the_middle(rig: Rig, secrets_known: Secrets) -> None:
    """Between giving up and taking both hosts are rebooted, and the controller goes on as if nothing was."""
    gap = "start|Activate the licenses and profiles on the target|1"
    before = rig.transfers()
    run = Events(rig).start("migrate", AIMS_EVENTS_HOLD=gap)
    assert held(run), run.wait().output
    assert rig.held("source") == rig.held("target") == set()
    for host in ("source", "target"):
        assert rig[host].reboot() == "running"
        watch(rig[host])
    release(run)
    ended = run.wait()
    assert "Traceback" not in ended.output, ended.output
    # A connection that Ansible kept open may be the one that the reboot cut: then the run stops, and says so.
    if ended.code:
        assert "cannot be reached" in ended.output, ended.output
        must(rig.play("migrate"))
    assert rig.held("target") == set(NUMBERS) and rig.held("source") == set()
    assert rig.transfers() == {number: count + 1 for number, count in before.items()}
    unit = rig.unit("target")
    assert (unit["is-enabled"], unit["is-active"]) == ("enabled", "active")
    assert must(rig.play("migrate")).changed == 0


def test_the_search_finds_what_it_is_for(rig: Rig) -> None:
    code = new_code()
    machine = rig["client"]
    machine.run(f"echo {base64.b64encode(b'x' + code.encode()).decode()} | sudo -n tee /srv/planted")
    machine.run(f"logger --size 9999 $(printf '%2000s' | tr ' ' x){code.replace('-', '')}")
    # A process that lasts until it was seen.
    machine.run(f"until grep --quiet --text {code.encode().hex()} {SHOWN}; do :; done")
    forms = disguises(code.encode()) | disguises(code.replace("-", "").encode())
    assert set(search(machine, {"planted": forms})["planted"]) >= {"/srv/planted", "the journal", SHOWN}


def test_no_secret_is_left_on_any_host(rig: Rig, secrets_known: Secrets) -> None:
    assert secrets_known.gather() >= 5
    for machine in rig.machines.values():
        assert secrets_known.astray(machine) == {}, machine.name
    # and each key is where it belongs, so that it was looked for
    found = search(rig["authority"], secrets_known.forms)
    assert {place for places in found.values() for place in places} == {
        LEDGER,
        f"{LEDGER}.tls/ca.key",
        f"{LEDGER}.tls/server.key",
    }
    assert HOST_KEY in {place for places in search(rig["target"], secrets_known.forms).values() for place in places}
