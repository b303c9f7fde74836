# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a port, told by the kernel of this machine."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.ports import address_problems, holders


def listener(address: str, listening: bool = True) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    made.bind((address, 0))
    if listening:
        made.listen()
    return made


def test_the_process_that_listens_is_named() -> None:
    me = f"{Path('/proc/self/comm').read_text(encoding='utf-8').strip()} (process {os.getpid()})"
    with listener("127.0.0.1") as held:
        port = held.getsockname()[1]
        assert holders("127.0.0.1", port) == [me]
        assert holders("", port) == [me]
        assert holders("0.0.0.0", port) == [me]
    assert holders("127.0.0.1", port) == []


def test_another_address_of_the_host_is_free() -> None:
    with listener("127.0.0.1") as held:
        assert holders("127.0.0.2", held.getsockname()[1]) == []


def test_who_listens_everywhere_holds_each_address() -> None:
    with listener("0.0.0.0") as held:
        assert holders("127.0.0.9", held.getsockname()[1]) != []


def test_a_socket_that_does_not_listen_holds_nothing() -> None:
    with listener("127.0.0.1", listening=False) as bound:
        assert holders("127.0.0.1", bound.getsockname()[1]) == []


def test_a_process_that_lets_go_of_it_is_left_out_and_no_other() -> None:
    with listener("127.0.0.1") as held:
        port = held.getsockname()[1]
        assert holders("", port, without=os.getpid()) == []
        other = f"import socket; held = socket.create_server(('127.0.0.2', {port})); print(flush=True); input()"
        with subprocess.Popen([sys.executable, "-c", other], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline()
            (name,) = holders("", port, without=os.getpid())
            assert name.endswith(f"(process {process.pid})")
            process.communicate(b"\n", timeout=10)


@pytest.mark.parametrize("address", ["", "0.0.0.0", "127.0.0.1", "127.9.9.9"])
def test_an_address_of_this_host_can_be_listened_on(address: str) -> None:
    assert address_problems(address) == []


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "nonsense"])
def test_an_address_that_is_none_of_this_hosts_is_told(address: str) -> None:
    (problem,) = address_problems(address)
    assert problem.what == f"{address} is not an address of this host." and "ip address" in problem.todo


def test_a_process_that_may_not_be_looked_at_is_still_told(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    line = "   0: 0100007F:0D48 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n"
    (tmp_path / "net/tcp").write_text(f"  sl  local_address\n{line}", encoding="ascii")
    assert holders("127.0.0.1", 3400, proc=tmp_path) == ["a process of another user"]
    assert holders("127.0.0.1", 3401, proc=tmp_path) == []


def test_tables_of_ipv6_are_read(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp6").write_text(
        "  sl  local_address\n"
        "   0: 00000000000000000000000001000000:0D48 0:0000 0A 0:0 0:0 0 0 0 1 1\n"
        "   1: 0000000000000000FFFF00000100007F:0D49 0:0000 0A 0:0 0:0 0 0 0 2 1\n",
        encoding="ascii",
    )
    assert holders("::1", 3400, proc=tmp_path) != []
    assert holders("127.0.0.1", 3400, proc=tmp_path) == []
    assert holders("127.0.0.1", 3401, proc=tmp_path) != []


def test_an_address_that_cannot_be_tried_is_not_said_to_be_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(socket, "socket", fail)
    (problem,) = address_problems("127.0.0.1")
    assert problem.what == "Cannot check whether 127.0.0.1 is an address of this host: Too many open files."
    assert "ulimit -n" in problem.todo
