# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The authority over the wire: the real command serves, and answers as the desk does, once."""

from __future__ import annotations

import json
import re
import signal
import socket
import ssl
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.certificates import Certificates
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.https import Https
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import read_fingerprint
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.drain import DrainOptions
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.exchange import Requests
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation, Deactivation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import (
    Service,
    ServiceLab,
    run,
    until,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    NUMBERS,
    SERVER,
    SESSION,
    WRONG_CODE,
    Host,
    declared,
    without_room,
)


def requests_of(lab: ServiceLab, host: Host) -> Requests:
    return Requests(lab.realm, read_fingerprint(str(host.root)), host_key=host.home.make_host_key(), now=now_utc())


def outcome(response: bytes) -> str:
    found = documents.read(response, documents.RESPONSE, "response").body["outcome"]
    return str(found)


def audited(service: Service) -> list[dict[str, Any]]:
    """The audit log as the command prints it after checking it."""
    done = run("audit", "--ledger", str(service.ledger), "--json")
    assert done.returncode == 0, done.stdout
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_a_server_goes_on_serving_where_the_authority_cannot_be_reached(lab: ServiceLab) -> None:
    service = lab.serve()
    host = lab.old
    host.manager.activate(Activation(declared()), service.channel())
    before, served = host.files(), host.served()
    channel = Https(service.address, service.channel().realm, pauses=())
    service.stop()
    for drain in (0, None):
        for dry in (True, False):
            with pytest.raises(LicensingError, match=r"The authority cannot be reached: .*refused"):
                host.manager.deactivate(
                    Deactivation(list(NUMBERS), drain=DrainOptions(drain) if drain is not None else None),
                    channel,
                    dry=dry,
                )
    assert len(served) == len(NUMBERS)
    assert (host.files(), host.served()) == (before, served)


def test_a_server_goes_on_serving_where_the_authority_cannot_write_its_ledger(lab: ServiceLab) -> None:
    service = lab.serve()
    host = lab.old
    host.manager.activate(Activation(declared()), service.channel())
    before, served = host.files(), host.served()
    with without_room(service.process.pid):
        told = service.refused(503, "GET", "/v1/status")
        assert (told["code"], told["problem"]["what"]) == ("not_now", "The authority cannot answer now.")
        for dry in (True, False):
            with pytest.raises(LicensingError, match=r"^The authority cannot answer now\."):
                host.manager.deactivate(
                    Deactivation(list(NUMBERS)), Https(service.address, service.realm, pauses=()), dry=dry
                )
    assert len(served) == len(NUMBERS)
    assert (host.files(), host.served()) == (before, served)
    until(lambda: service.call("GET", "/v1/status")[0] == 200, "a ledger that can be written again")
    assert host.manager.deactivate(Deactivation(list(NUMBERS)), service.channel()).changed


def test_who_asks_often_whether_the_authority_is_ready_does_not_wear_the_disk(lab: ServiceLab) -> None:
    def changes() -> int:
        # SQLite counts in its file how often that was changed.
        return int.from_bytes(lab.ledger_path.read_bytes()[24:28], "big")

    service = lab.serve()
    before, begun = changes(), time.monotonic()
    for _call in range(30):
        assert json.loads(service.call("GET", "/v1/status")[2])["ready"] is True
    assert 1 <= changes() - before <= 1 + int(time.monotonic() - begun)


def test_licenses_move_from_one_host_to_another_over_https(lab: ServiceLab) -> None:
    service = lab.serve()
    lab.old.manager.activate(Activation(declared()), service.channel())
    assert set(lab.old.statuses().values()) == {"Active"}
    assert lab.old.manager.overview().server.realm.ca == service.realm.ca
    given = lab.old.manager.deactivate(Deactivation(list(NUMBERS)), service.channel())
    assert {one.action for one in given.results} == {"deactivated"}
    taken = lab.new.manager.activate(Activation(declared()), service.channel())
    assert [one.spends for one in taken.results] == [1, 1, 1]
    lab.check_one_holder()
    assert [lab.spent(number) for number in NUMBERS] == [1, 1, 1]
    assert [one["event"] for one in audited(service)][3:] == ["activate"] * 3 + ["deactivate"] * 3 + ["activate"] * 3
    assert service.stop() == 0
    assert "Traceback" not in service.log


def test_a_realm_that_was_pinned_without_its_certificate_gets_it_later_and_nobody_elses(lab: ServiceLab) -> None:
    bare = Realm(lab.realm.name, lab.realm.key)
    asked = lab.old.manager.activate(Activation(declared(SERVER), realm=bare), lab.offline())
    lab.old.manager.activate(Activation(declared(SERVER)), lab.offline(lab.process(asked.requests)))
    assert "ca" not in lab.old.overview["server"]["realm"]
    service = lab.serve()
    lab.old.manager.activate(Activation(declared(SERVER, SESSION), realm=service.realm), service.channel())
    assert lab.old.overview["server"]["realm"]["ca"] == service.realm.ca
    lab.old.manager.deactivate(Deactivation([SERVER]), service.channel())
    with Ledger.create(str(lab.folder / "other.db"), "other") as other:
        foreign = Realm(other.realm.name, other.realm.key, service.realm.ca)
    with pytest.raises(LicensingError, match="honours realm"):
        lab.old.manager.deactivate(Deactivation([SESSION]), service.channel(foreign))


def test_the_same_request_gets_the_very_same_bytes_also_after_a_restart(lab: ServiceLab) -> None:
    requests = requests_of(lab, lab.old)
    granted = requests.activate(declared(SERVER)[0])
    wrong = requests.activate(declared(SERVER, code=WRONG_CODE)[0])
    stranger = requests_of(lab, lab.new).deactivate(SERVER, "machine")
    service = lab.serve()
    first = [service.ask(one) for one in (granted, wrong, stranger)]
    assert [outcome(one) for one in first] == ["granted", "refused", "refused"]
    assert [service.ask(one) for one in (granted, wrong, stranger)] == first
    assert service.stop() == 0
    again = lab.serve()
    assert [again.ask(one) for one in (granted, wrong, stranger)] == first
    assert len(audited(again)) == 3 + 2


def test_a_client_is_not_blamed_for_an_answer_that_was_damaged_in_the_ledger(lab: ServiceLab) -> None:
    request = requests_of(lab, lab.old).activate(declared(SERVER)[0])
    assert outcome(lab.desk().answer(request)) == "granted"
    with lab.ledger.change():
        lab.ledger._rows("UPDATE response SET content = CAST(replace(content, 'reason', 'reasom') AS BLOB)")
    service = lab.serve()
    for _attempt in range(2):
        assert service.refused(503, "POST", "/v1/requests", request)["code"] == "not_now"
    assert service.metrics()['aims_authority_requests_total{action="any",outcome="failed"}'] == 2
    assert "The ledger is damaged" in service.log and "Traceback" not in service.log


def test_a_service_killed_between_its_commit_and_its_reply_answers_the_same_request_again(lab: ServiceLab) -> None:
    lab.activate(lab.old, SERVER)
    lab.deactivate(lab.old, SERVER)
    request = requests_of(lab, lab.new).activate(declared(SERVER)[0])
    service = lab.serve()
    # A client that sends its request and never reads: what it would have been answered is lost with the service.
    with service.tls().wrap_socket(service.plug(), server_hostname="localhost") as line:
        head = f"POST /v1/requests HTTP/1.1\r\nHost: x\r\nContent-Length: {len(request)}\r\n\r\n"
        line.sendall(head.encode() + request)
        until(lambda: lab.spent() == 1, "the commit")
        service.kill()
    again = lab.serve()
    response = again.ask(request)
    assert outcome(response) == "granted"
    assert lab.spent() == 1
    assert again.ask(request) == response


def test_a_manager_whose_reply_was_lost_asks_again_under_its_id(lab: ServiceLab) -> None:
    service = lab.serve()
    lab.activate(lab.old, SERVER)
    lab.deactivate(lab.old, SERVER)
    lost = service.channel()
    exchange, asked = lost.exchange, []

    def lose(number: str, request: bytes) -> bytes | None:
        asked.append(request)
        response = exchange(number, request)
        if b'"action":"quote"' not in request:
            raise ConnectionResetError
        return response

    lost.exchange = lose  # type: ignore[method-assign]
    with pytest.raises(ConnectionResetError):
        lab.new.manager.activate(Activation(declared(SERVER)), lost)
    assert lab.new.open_requests() == ["015120064022.request"]
    service.kill()
    again = lab.serve()
    lab.new.manager.activate(Activation(declared(SERVER)), again.channel())
    assert lab.new.statuses() == {SERVER: "Active"}
    assert lab.spent() == 1


def test_only_the_realms_own_certificate_and_the_right_name_are_taken(lab: ServiceLab) -> None:
    service = lab.serve()
    (lab.folder / "other").mkdir()
    other = Certificates(str(lab.folder / "other" / "authority.db"))
    other.make(lab.realm.name, ["localhost"], now_utc())
    request = requests_of(lab, lab.old).activate(declared(SERVER)[0])
    with pytest.raises(LicensingError, match="not the authority of realm"):
        service.channel(Realm(lab.realm.name, lab.realm.key, other.ca())).exchange(SERVER, request)
    with pytest.raises(LicensingError, match=r"not the authority of realm .*127\.0\.0\.2"):
        elsewhere = lab.serve("--listen", "127.0.0.2")
        service.channel(address=f"https://127.0.0.2:{elsewhere.port}").exchange(SERVER, request)
    assert lab.ledger.holding(SERVER) is None
    old = ssl.create_default_context(cadata=service.realm.ca)
    with pytest.warns(DeprecationWarning):
        old.maximum_version = old.minimum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with service.plug() as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain, server_hostname="localhost")


def test_a_request_of_a_cloned_machine_does_not_give_back_what_the_first_one_holds(lab: ServiceLab) -> None:
    service = lab.serve()
    lab.old.manager.activate(Activation(declared(SERVER)), service.channel())
    (lab.new.folder / "Config" / "host.key").write_bytes(lab.old.read("Config/host.key"))
    assert outcome(service.ask(requests_of(lab, lab.new).deactivate(SERVER, "machine"))) == "refused"
    holding = lab.ledger.holding(SERVER)
    assert holding is not None and holding.live


def test_it_tells_systemd_when_it_serves_and_when_it_ends(lab: ServiceLab, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(20)
        systemd.bind(str(tmp_path / "notify"))
        service = lab.serve(NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert systemd.recv(100) == b"READY=1"
        assert service.stop(signal.SIGINT) == 0
        assert systemd.recv(100) == b"STOPPING=1"
    assert re.fullmatch(
        r"20\S+T\S+Z INFO serving realm REHEARSAL test on \S+ port [0-9]+\n20\S+Z INFO ended\n", service.log
    )


def test_it_ends_by_itself_after_the_time_it_was_given(lab: ServiceLab) -> None:
    service = lab.serve("--stop-after", "0.2")
    assert service.process.wait(timeout=20) == 0


def test_a_call_that_is_under_way_is_answered_before_the_service_ends(lab: ServiceLab) -> None:
    service = lab.serve()
    wrong = requests_of(lab, lab.old).activate(declared(SERVER, code=WRONG_CODE)[0])
    with service.tls().wrap_socket(service.plug(), server_hostname="localhost") as line:
        head = f"POST /v1/requests HTTP/1.1\r\nHost: x\r\nContent-Length: {len(wrong)}\r\n\r\n"
        line.sendall(head.encode() + wrong)
        # It is answered after a second only; the log has it at once.
        until(lambda: "unproven" in service.log, "the request at the desk")
        service.process.send_signal(signal.SIGTERM)
        answer = b""
        while part := line.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200 OK") and b'"outcome":"refused"' in answer
    assert service.process.wait(timeout=20) == 0


def test_a_busy_port_is_told_and_who_has_it_can_be_seen(lab: ServiceLab) -> None:
    service = lab.serve()
    done = run("serve", "--ledger", str(lab.ledger_path), "--listen", "127.0.0.1", "--port", str(service.port))
    assert done.returncode == 1
    assert "Cannot listen: Address already in use" in done.stderr and f"sport = :{service.port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_ledger_can_be_worked_on_while_it_is_served(lab: ServiceLab) -> None:
    service = lab.serve()
    number, code = "015.120.064.023", "Q4MWE-7BYRK-P2HSC-V9XGA-TZ63N"
    one = declared(SERVER, code=code)[0].__class__(number, code)
    assert outcome(service.ask(requests_of(lab, lab.old).activate(one))) == "refused"
    done = run("issue", number, "--activation-code", "-", "--ledger", str(lab.ledger_path), stdin=f"{code}\n")
    assert done.returncode == 0, done.stderr
    assert outcome(service.ask(requests_of(lab, lab.old).activate(one))) == "granted"


def test_a_ledger_of_the_earlier_version_is_served_and_gets_its_certificates_then(lab: ServiceLab) -> None:
    old = lab.folder / "earlier.db"
    old.write_bytes(lab.ledger_path.read_bytes())
    with Ledger(str(old)) as ledger:
        for table in ("unproven", "unproven_count"):
            ledger._rows(f"DROP TABLE {table}")
        assert ledger.realm.ca is None
    service = Service(old, "--host", "localhost")
    lab.services.append(service)
    assert service.realm.ca is not None
    wrong = requests_of(lab, lab.old).activate(declared(SERVER, code=WRONG_CODE)[0])
    assert outcome(service.ask(wrong)) == "refused"
    lab.old.manager.activate(Activation(declared(SERVER)), service.channel())
    assert lab.old.statuses() == {SERVER: "Active"}


def test_private_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    done = run("init", "--ledger", str(tmp_path / "a.db"), "--name", "x", "--host", "A.example", "--json")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "a.db.tls"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"ca.pem": 0o644, "ca.key": 0o600, "server.pem": 0o644, "server.key": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert json.loads(done.stdout)["ca"] == (folder / "ca.pem").read_text(encoding="ascii")
    told = run("realm", "--ledger", str(tmp_path / "a.db"), "--json")
    assert json.loads(told.stdout) == json.loads(done.stdout)


def test_a_new_ledger_does_not_take_over_certificates_that_are_there(tmp_path: Path) -> None:
    assert run("init", "--ledger", str(tmp_path / "a.db")).returncode == 0
    (tmp_path / "a.db").unlink()
    done = run("init", "--ledger", str(tmp_path / "a.db"))
    assert done.returncode == 1 and "certificates of another ledger" in done.stderr
    assert not (tmp_path / "a.db").exists()


@pytest.mark.parametrize("host", ["a b", "-x", "", "1.2.3", "a" * 64, "*.example.com", "ä.example"])
def test_a_name_that_is_none_gets_no_certificate(tmp_path: Path, host: str) -> None:
    done = run("init", "--ledger", str(tmp_path / "a.db"), f"--host={host}")
    assert done.returncode == 1 and "is not a host" in done.stderr
    assert not list(tmp_path.iterdir())
