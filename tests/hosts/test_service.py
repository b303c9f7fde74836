# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The license server as a service of systemd: installed, shut in, kept alive, repaired, and asked by another host."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator

import pytest
from hosts.machines import ONLINE, Site
from hosts.rig import SERVICE, Reply, Rig
from hosts.walks import in_use, until
from prometheus_client.parser import text_string_to_metric_families
from support.lab import GRANTS, HOME
from support.runs import must

SERVER = "http://target:3400"
STATUS = "http://127.0.0.1:3401/v1/status"
PLACES = (f"{HOME}/Bin", f"{HOME}/Config", f"{HOME}/Licenses", f"{HOME}/Nodelocks", f"{HOME}/Journal")


@pytest.fixture(scope="module")
def rig(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A license server on the target, with an authority in a file there; a client; and a host with nothing on it."""
    with Rig(site, tmp_path_factory.mktemp("service") / "rig", source=ONLINE, target=ONLINE, client=ONLINE) as made:
        made.inventory["all"]["vars"]["aims_license_server_authority"] = "ledger:/srv/authority.db"
        made.write_inventory()
        task = {
            "name": "Issue rehearsal licenses",
            "aims.licensing.aims_license_authority": {
                "authority": "{{ aims_license_server_authority }}",
                "licenses": "{{ aims_license_server_licenses }}",
                "details": GRANTS,
            },
        }
        must(made.play(made.write_play("issue", "aims_license_targets", [task])))
        must(made.play("reconcile"))
        yield made


def take(rig: Rig, seat: str, profile: str | None = "PROSession") -> Reply:
    """Ask for a seat as a client on another host does."""
    body = {"profile": profile, "user": "AIMS\\anna", "client": "client"}
    return rig.curl("client", f"{SERVER}/v1/seats/{seat}", "PUT", body)


def serves(rig: Rig) -> bool:
    return rig.curl("target", STATUS).status == 200


def test_unit(rig: Rig) -> None:
    unit = rig.unit("target")
    assert (unit["is-enabled"], unit["is-active"], unit["User"]) == ("enabled", "active", "aims-license")
    process = rig["target"].run(f"ps -o user= -p {unit['MainPID']}")
    assert process.strip() == "aims-license"
    assert rig["target"].run(f"sudo -n grep CapEff /proc/{unit['MainPID']}/status").split()[1].strip("0") == ""


def test_hardening(rig: Rig) -> None:
    told = rig["target"].run(f"systemd-analyze security --no-pager {SERVICE}")
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told)
    assert exposure and float(exposure[1]) < 2.0, told


def test_what_the_service_can_read_and_write(rig: Rig) -> None:
    pid = rig.unit("target")["MainPID"]
    inside = f"sudo -n nsenter --target {pid} --mount --setuid $(id -u aims-license) --setgid $(id -g aims-license)"
    for secret in (f"{HOME}/Config/host.key", "/etc/shadow", "/srv/authority.db"):
        assert rig["target"].ask(f"{inside} cat {secret}").code, secret
    for place in (HOME, f"{HOME}/Config", f"{HOME}/Licenses", f"{HOME}/Bin", "/etc", "/home", "/var/lib"):
        assert rig["target"].ask(f"{inside} touch {place}/written").code, place
    for place in (f"{HOME}/Seats", f"{HOME}/Logging"):
        rig["target"].run(f"{inside} sh -c 'touch {place}/written && rm {place}/written'")
    assert rig["target"].ask(f"sudo -n -u nobody cat {HOME}/Config/server.json").code


def test_ports(rig: Rig) -> None:
    listening = rig["target"].run("ss --listening --tcp --numeric --no-header")
    addresses = {line.split()[3] for line in listening.splitlines()}
    assert "127.0.0.1:3401" in addresses
    assert {address for address in addresses if address.endswith(":3400")} & {"*:3400", "0.0.0.0:3400"}
    # a server is there, and knows nothing by that name
    assert rig.curl("client", f"{SERVER}/").status == 404
    assert rig.curl("client", "http://target:3401/v1/status").status == 0


def test_console_and_metrics(rig: Rig) -> None:
    page = rig.curl("target", "http://127.0.0.1:3401/")
    assert page.status == 200 and "<html" in page.text
    # nothing of it lies beyond the server
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", page.text)
    metrics = rig.curl("target", "http://127.0.0.1:3401/metrics")
    assert metrics.status == 200
    names = {family.name for family in text_string_to_metric_families(metrics.text)}
    assert names, metrics.text


def test_the_service_writes_who_held_what_and_the_host_has_facts(rig: Rig) -> None:
    seat = secrets.token_hex(16)
    assert take(rig, seat).status == 200
    assert rig.curl("client", f"{SERVER}/v1/seats/{seat}", "DELETE").status == 200
    place = f"{HOME}/Logging/Usage.csv"
    heading, *rows = rig["target"].run(f"sudo -n cat {place}").splitlines()
    assert heading == "from,to,user,client,address,profile,license"
    assert ",AIMS\\anna,client," in rows[-1] and ",PROSession," in rows[-1]
    assert rig["target"].run(f"sudo -n stat -c '%U %a' {place}").split() == ["aims-license", "600"]
    facts = json.loads(rig["target"].run("cat /etc/ansible/facts.d/aims_license_server.fact"))
    assert [(one["home"], one["service"]) for one in facts["servers"]] == [(HOME, "systemd")]


def test_second_run_changes_nothing(rig: Rig) -> None:
    before = rig.unit("target"), rig.digests("target", *PLACES, "/etc")
    assert must(rig.play("reconcile")).changed == 0
    assert (rig.unit("target"), rig.digests("target", *PLACES, "/etc")) == before


def test_a_seat_survives_kill_and_reboot(rig: Rig) -> None:
    seat = secrets.token_hex(16)
    taken = take(rig, seat)
    assert taken.status == 200, taken
    before = rig.unit("target")

    rig["target"].run(f"sudo -n kill -9 {before['MainPID']}")
    until(lambda: rig.unit("target")["MainPID"] not in ("0", before["MainPID"]) and serves(rig))
    assert int(rig.unit("target")["NRestarts"]) == int(before["NRestarts"]) + 1
    assert in_use(rig, "target")["PROSession"] == 1
    again = take(rig, seat)
    assert (again.status, again.text) == (200, taken.text)
    assert in_use(rig, "target")["PROSession"] == 1

    assert rig["target"].reboot() == "running"
    until(lambda: serves(rig))
    unit = rig.unit("target")
    assert (unit["is-enabled"], unit["is-active"], unit["NRestarts"]) == ("enabled", "active", "0")
    assert rig.curl("client", f"{SERVER}/v1/seats/{seat}/heartbeat", "POST").status == 200
    assert in_use(rig, "target")["PROSession"] == 1

    assert rig.curl("client", f"{SERVER}/v1/seats/{seat}", "DELETE").json == {"seat": seat, "released": True}
    assert in_use(rig, "target")["PROSession"] == 0
    assert must(rig.play("reconcile")).changed == 0


def test_never_more_than_the_license_grants(rig: Rig) -> None:
    seats = [secrets.token_hex(16) for place in range(GRANTS["015.120.065.016"]["seats"] + 1)]
    statuses = [take(rig, seat).status for seat in seats]
    assert statuses == [200] * (len(seats) - 1) + [409]
    # the first Default is full, so a client that names no profile gets the next one
    without = take(rig, seats[-1], None)
    assert (without.status, without.json["profile"]) == (200, "Client")
    for seat in seats:
        assert rig.curl("client", f"{SERVER}/v1/seats/{seat}", "DELETE").status == 200
    assert set(in_use(rig, "target").values()) == {0}


def test_leaving_maintenance_restarts_it(rig: Rig) -> None:
    seat = secrets.token_hex(16)
    assert take(rig, seat).status == 200
    before = rig.unit("target")["MainPID"]
    task = {"name": "Switch", "aims.licensing.aims_license_maintenance": {"home": HOME, "state": "{{ state }}"}}
    play = rig.write_play("maintenance", "target", [task])

    assert must(rig.play(play, "-e", "state=enabled")).changed == 1
    assert rig.unit("target")["MainPID"] == before
    assert take(rig, secrets.token_hex(16)).status == 503
    held = rig.curl("client", f"{SERVER}/v1/seats/{seat}/heartbeat", "POST")
    assert (held.status, held.json["maintenance"]) == (200, True)
    rig["target"].run(f"sudo -n systemctl kill --signal=KILL {SERVICE}")
    until(lambda: rig.unit("target")["MainPID"] not in ("0", before) and serves(rig))
    assert take(rig, secrets.token_hex(16)).status == 503
    before = rig.unit("target")["MainPID"]

    assert must(rig.play(play, "-e", "state=disabled")).changed == 1
    assert rig.unit("target")["MainPID"] not in ("0", before)
    held = rig.curl("client", f"{SERVER}/v1/seats/{seat}/heartbeat", "POST")
    assert (held.status, held.json["maintenance"]) == (200, False)
    assert rig.curl("client", f"{SERVER}/v1/seats/{seat}", "DELETE").status == 200
    assert must(rig.play(play, "-e", "state=disabled")).changed == 0


def test_a_server_that_systemd_is_about_to_start_again_has_clients(rig: Rig) -> None:
    seat = secrets.token_hex(16)
    assert take(rig, seat).status == 200
    drain = f"systemctl kill --signal=KILL {SERVICE}; {HOME}/Bin/licman --maintenance on --drain 5"
    told = rig["target"].ask(f"sudo -n sh -c '{drain}'")
    assert told.code != 0 and "1 seats are still in use" in told.stderr, told
    until(lambda: serves(rig))
    assert rig.licman("target", "--status")["maintenance"] is False
    assert rig.curl("client", f"{SERVER}/v1/seats/{seat}/heartbeat", "POST").status == 200
    assert rig.curl("client", f"{SERVER}/v1/seats/{seat}", "DELETE").status == 200


def test_it_ends_cleanly_and_logs(rig: Rig) -> None:
    rig["target"].run(f"sudo -n systemctl stop {SERVICE}")
    ended = rig["target"].run(f"systemctl show {SERVICE} --property=Result,ExecMainCode,ExecMainStatus --value")
    assert ended.split() == ["success", "1", "0"], ended
    log = rig["target"].run(f"sudo -n cat {HOME}/Logging/LicenseServer.log").splitlines()
    today = rig["target"].run("date +%Y-%m-%d")
    assert log and any(line.startswith(today) for line in log), log[-3:]
    assert rig["target"].ask(f"sudo -n {HOME}/Bin/licman --status --json").code == 4
    # a service that was stopped is drift
    run = must(rig.play("reconcile"))
    assert run.changed == 1
    assert rig.unit("target")["is-active"] == "active" and serves(rig)
    assert rig.licman("target", "--status")["ready"] is True


@pytest.mark.parametrize(
    "drift",
    [
        f"systemctl disable --now {SERVICE}",
        # what masking comes to where the unit lies in the same folder, and would be refused
        f"sh -c 'systemctl stop {SERVICE} && ln -sf /dev/null /etc/systemd/system/{SERVICE}'",
        f"sed -i /^Restart=/d /etc/systemd/system/{SERVICE}",
        f"chmod 0644 {HOME}/Config/server.json",
        f"chown nobody {HOME}/Seats",
        f"chmod 0644 {HOME}/Config/host.key",
        f"sh -c 'chmod 0600 {HOME}/Licenses/*.lic && chmod 0700 {HOME}/Licenses'",
    ],
    ids=["disabled", "masked", "rewritten", "mode", "owner", "key", "hidden"],
)
def test_drift_is_repaired(rig: Rig, drift: str) -> None:
    watched = (*PLACES, "/etc/systemd/system")
    before = rig.digests("target", *watched)
    rig["target"].run(f"sudo -n {drift}")
    assert must(rig.play("reconcile")).changed == 1
    assert rig.digests("target", *watched) == before
    unit = rig.unit("target")
    assert (unit["is-enabled"], unit["is-active"]) == ("enabled", "active") and serves(rig)


def test_without_ipv6(rig: Rig) -> None:
    # The service gets the answer that a kernel without IPv6 gives.
    folder = f"/etc/systemd/system/{SERVICE}.d"
    text = "[Service]\nRestrictAddressFamilies=\nRestrictAddressFamilies=AF_INET AF_UNIX\n"
    rig["target"].run(f"sudo -n mkdir {folder} && sudo -n tee {folder}/v4.conf", text)
    rig["target"].run(f"sudo -n systemctl daemon-reload && sudo -n systemctl restart {SERVICE}")
    assert rig.curl("client", f"{SERVER}/").status == 404
    assert "0.0.0.0:3400" in rig["target"].run("ss --listening --tcp --numeric --no-header")
    rig["target"].run(f"sudo -n rm -r {folder} && sudo -n systemctl daemon-reload")
    must(rig.play("reconcile"))


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (f"ReadOnlyPaths={HOME}/Seats", "Seats"),
        ("InaccessiblePaths=/usr/lib/python3/dist-packages/tornado", "tornado"),
        (f"ExecStart=\nExecStart={HOME}/Bin/nothing", "No such file or directory"),
    ],
    ids=["disk", "library", "command"],
)
def test_the_journal_tells_why_it_does_not_start(rig: Rig, broken: str, told: str) -> None:
    folder = f"/etc/systemd/system/{SERVICE}.d"
    rig["target"].run(f"sudo -n mkdir {folder} && sudo -n tee {folder}/broken.conf", f"[Service]\n{broken}\n")
    rig["target"].run(f"sudo -n systemctl daemon-reload && sudo -n systemctl stop {SERVICE}")
    run = rig.play("reconcile")
    assert run.code != 0 and "Traceback" not in run.output, run.output
    _before, _words, excerpt = run.output.partition("Its journal ends with: ")
    assert told in excerpt, run.output
    assert f"journalctl --unit {SERVICE}" in run.output
    rig["target"].run(f"sudo -n rm -r {folder} && sudo -n systemctl daemon-reload")
    must(rig.play("reconcile"))
    assert serves(rig)


class TestFirst:
    """What is found out before anything is installed, on a host with nothing on it."""

    @pytest.fixture
    def install(self, rig: Rig) -> str:
        task = {
            "name": "Install the license server",
            "aims.licensing.aims_license_server_install": {"home": HOME, "authority": "ledger:/srv/authority.db"},
        }
        return rig.write_play("install", "source", [task])

    @staticmethod
    def untouched(rig: Rig) -> bool:
        looks = f"ls -d {HOME} /etc/systemd/system/aims* /etc/sysusers.d/aims*; getent passwd aims-license"
        return rig["source"].ask(looks).stdout == ""

    @pytest.mark.parametrize("port", [3400, 3401])
    def test_a_busy_port(self, rig: Rig, install: str, port: int) -> None:
        server = f"/usr/bin/python3 -m http.server {port}"
        rig["source"].run(f"sudo -n systemd-run --unit=squatter --collect --property=User=nobody {server}")
        until(lambda: rig.curl("source", f"http://127.0.0.1:{port}/").status == 200)
        pid = rig["source"].run("systemctl show squatter --property=MainPID --value")
        run = rig.play(install)
        rig["source"].run("sudo -n systemctl stop squatter")
        assert run.code != 0
        assert f"Port {port}" in run.output and f"python3 (process {pid})" in run.output, run.output
        assert self.untouched(rig)

    def test_a_missing_library(self, rig: Rig, install: str) -> None:
        rig["source"].run("mkdir saved; cp -r /usr/lib/python3/dist-packages/tornado* saved")
        rig["source"].run("sudo -n rm -r /usr/lib/python3/dist-packages/tornado")
        run = rig.play(install)
        rig["source"].run("sudo -n cp -r saved/tornado /usr/lib/python3/dist-packages")
        assert run.code != 0
        assert "python3-tornado" in run.output, run.output
        assert self.untouched(rig)

    def test_check_mode(self, rig: Rig, install: str) -> None:
        run = must(rig.play(install, "--check", "--diff"))
        assert run.changed == 1
        assert self.untouched(rig)
