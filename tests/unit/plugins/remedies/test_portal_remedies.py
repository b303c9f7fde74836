# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request page, a user or a folder that is wrong is put right as its message says, and the same call succeeds."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.action.aims_license_plan import ActionModule
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import Refused
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.portal import Portal
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import (
    Service,
    run,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import CoreLab, declared
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.server.site import Site, take

ADDRESS, REALM = "aims_license_server_portal", "aims_license_server_realm"
OTHER_KEY = "B" * 43 + "="


def init(folder: Path) -> dict[str, Any]:
    """Make an authority; return what the command printed."""
    made = run("init", "--ledger", str(folder / "authority.db"), "--host", "localhost", "--json")
    assert made.returncode == 0, made.stderr
    return dict(json.loads(made.stdout))


@dataclass
class Authority:
    """A running authority, and what is declared of it: a wrong value of either variable, or the right one."""

    printed: dict[str, Any]
    running: Service

    def check(self, **declared: Any) -> None:
        """Look at the page, with what is declared in place of what is right."""
        realm = Realm.from_dict(declared.get(REALM, self.printed), REALM)
        Portal(declared.get(ADDRESS, self.running.address), realm, "", 30).check()

    def told(self, **declared: Any) -> str:
        with pytest.raises(LicensingError) as refused:
            self.check(**declared)
        return str(refused.value)

    @contextlib.contextmanager
    def elsewhere(self, status: int, body: bytes) -> Iterator[str]:
        """Another server that has the authority's certificate and gives one answer; return its address."""

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_told: Any) -> None:
                pass

        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        folder = Path(f"{self.running.ledger}.tls")
        tls.load_cert_chain(folder / "server.pem", folder / "server.key")
        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield f"https://localhost:{server.server_address[1]}"
            finally:
                server.shutdown()
                thread.join()


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    printed = init(tmp_path)
    running = Service(tmp_path / "authority.db")
    try:
        yield Authority(printed, running)
    finally:
        running.kill()


def test_a_page_with_another_certificate_is_checked_by_its_address_and_its_ca(
    authority: Authority, tmp_path: Path, other_name: str
) -> None:
    (tmp_path / "second").mkdir()
    other = {**authority.printed, "ca": init(tmp_path / "second")["ca"]}
    text = authority.told(**{ADDRESS: f"https://{other_name}:{authority.running.port}"})
    assert "Check the address" in text
    authority.check(**{ADDRESS: authority.running.address})
    text = authority.told(**{REALM: other})
    ((variable, name, command),) = re.findall(r"that (\w+) has the (\w+) that '(authority init)' printed\.", text)
    assert command and "Nothing was uploaded." in text
    authority.check(**{variable: {**other, name: authority.printed[name]}})


def test_a_page_of_another_realm_is_corrected_by_its_address_or_its_realm(authority: Authority) -> None:
    right = {ADDRESS: authority.running.address, REALM: authority.printed}
    another = json.dumps({"name": "another", "key": OTHER_KEY}).encode()
    with authority.elsewhere(200, another) as address:
        text = authority.told(**{ADDRESS: address})
    ((first, second),) = re.findall(r"Correct (\w+) or (\w+)\.", text)
    authority.check(**{first: right[first]})
    wrong = {REALM: {**authority.printed, "key": OTHER_KEY}}
    assert re.findall(r"Correct (\w+) or (\w+)\.", authority.told(**wrong)) == [(first, second)]
    authority.check(**{**wrong, second: right[second]})


@pytest.mark.parametrize("status", [200, 404])
def test_what_is_no_request_page_is_corrected_to_the_address_of_the_service(authority: Authority, status: int) -> None:
    with authority.elsewhere(status, b"{}") as address:
        text = authority.told(**{ADDRESS: address})
    ((variable, command),) = re.findall(r"Correct the address \((\w+)\): use that of '(authority serve)'", text)
    assert command.split()[1] in authority.running.process.args
    authority.check(**{variable: authority.running.address})


def test_a_user_who_is_not_registered_is_registered(tmp_path: Path, new_ledger: bytes) -> None:
    lab = CoreLab(tmp_path, new_ledger)
    with contextlib.closing(lab), contextlib.ExitStack() as stack:
        site = Site(lab, stack)
        variables = {"aims_license_server_users": ["AIMS\\anna"]}
        site.host.manager.activate(Activation(declared(), users=variables["aims_license_server_users"]), lab.channel())
        server = site.serve()
        seat, user = server.seats.new_id(), "AIMS\\bert"
        with pytest.raises(Refused) as refused:
            take(server, seat, user=user)
        (variable,) = re.findall(r"Have the user registered \((\w+)\)\.", str(refused.value))
        variables[variable].append(user)
        site.host.manager.activate(Activation(declared(), users=variables[variable]), lab.channel())
        assert take(server, seat, user=user)["seat"] == seat


def test_a_folder_of_bundles_that_cannot_be_written_is_made_writable_or_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def access(path: Path, mode: int, **_named: Any) -> bool:
        """What the owner may do who is not root."""
        return (path.stat().st_mode >> 6) & mode == mode

    look: Callable[[Path], Any] = ActionModule._obstacles
    monkeypatch.setattr(os, "access", access)
    folder = tmp_path / "bundles"
    folder.mkdir(mode=0o500)
    (problem,) = look(folder / "new")
    assert problem.where == str(folder)
    assert "Make it writable for the user who runs this" in problem.todo
    (variable,) = re.findall(r"or set (\w+) to another folder", problem.todo)
    assert variable == "aims_license_migrate_dir" and look(tmp_path / "another") == []
    Path(problem.where).chmod(0o700)
    assert look(folder / "new") == []
