# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a Windows host: Wine's cmd behind an sshd that is an ordinary process on loopback.

It shows that our side of the conversation is right: commands, quotes, encodings, paths, a silent installation. It does
not have Windows' rights, its services manager, or the vendor's product.
"""

from __future__ import annotations

import contextlib
import ctypes
import getpass
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from support.licsrv import free_address
from vendor.windows.image import Image, copy, environment, find


class WindowsHost:
    """A host. Everything of it ends with the ``with`` block, and with the process that made it.

    :ivar drive: the folder that is C:
    :ivar address: an address of the loopback device, where its sshd and its license server listen
    """

    def __init__(self, folder: Path, image: Image, **habits: Any) -> None:
        self.folder, self._image = folder, image
        self.address = free_address()
        self.port = _free_port(self.address)
        self.drive = folder / "prefix" / "drive_c"
        self._processes: list[subprocess.Popen[bytes]] = []
        folder.mkdir(parents=True)
        self.behave(**habits)

    def __enter__(self) -> WindowsHost:
        copy(self._image, self.folder / "prefix")
        (self.drive / "windows" / "stand-in-address.txt").write_text(self.address)
        try:
            self._start_windows()
            self._start_sshd()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def behave(self, **habits: Any) -> None:
        """Say how the host differs from a friendly one, from the next session on; see session.py."""
        (self.folder / "habits.json").write_text(json.dumps(habits), encoding="utf-8")

    def path(self, windows: str) -> Path:
        r"""Return where a path of the host, such as ``C:\X``, is here."""
        return self.drive.joinpath(*windows.removeprefix("C:\\").split("\\"))

    @property
    def commands(self) -> list[str]:
        """The commands of all sessions so far, the oldest first."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "commands.log").read_text(encoding="utf-8").splitlines()
        return []

    @property
    def variables(self) -> dict[str, Any]:
        """What an inventory has to say of the host so that Ansible reaches it."""
        quoted = shlex.quote(str(self.folder / "known_hosts"))
        return {
            "ansible_connection": "ssh",
            "ansible_shell_type": "cmd",
            "ansible_host": self.address,
            "ansible_port": self.port,
            "ansible_user": getpass.getuser(),
            "ansible_ssh_private_key_file": str(self.folder / "key"),
            "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=10s",
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={quoted} -o StrictHostKeyChecking=accept-new",
        }

    def run(self, command: str, timeout: float = 120) -> subprocess.CompletedProcess[bytes]:
        """Run a command on the host as the tests' own way to it, with no connection."""
        variables = {**environment(self.folder / "prefix"), "SSH_ORIGINAL_COMMAND": command}
        return subprocess.run(
            ["wine", r"C:\windows\remote.exe"],
            cwd=self.drive,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=timeout,
        )

    def stop(self) -> None:
        for process in reversed(self._processes):
            for other in [*_descendants(process.pid), process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(other, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
        self._processes.clear()
        if (self.folder / "prefix").exists():
            command, variables = ["wineserver", "-k"], environment(self.folder / "prefix")
            subprocess.run(command, env=variables, capture_output=True, check=False, timeout=30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, command: list[str], variables: dict[str, str], folder: Path) -> None:
        log = (self.folder / "processes.log").open("ab")
        with log:
            self._processes.append(
                subprocess.Popen(
                    command,
                    cwd=folder,
                    env=variables,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    preexec_fn=_end_with_parent,
                )
            )

    def _start_windows(self) -> None:
        self._start(["wine", r"C:\windows\idle.exe"], environment(self.folder / "prefix"), self.drive)
        # The first commands start Wine's services, which keep the output of the command open that they were started by.
        variables = environment(self.folder / "prefix")
        subprocess.run(
            ["wine", "cmd", "/c", "exit"],
            cwd=self.drive,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=120,
        )

    def _start_sshd(self) -> None:
        for key in ("key", "host_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / key)], check=True)
        shutil.copy(self.folder / "key.pub", self.folder / "authorized_keys")
        session = [sys.executable, str(Path(__file__).with_name("session.py")), str(self.folder)]
        if os.geteuid() == 0:
            # Debian's sshd wants it, and its service makes it at each start.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        configuration = self.folder / "sshd_config"
        configuration.write_text(
            f"ListenAddress {self.address}:{self.port}\n"
            f"HostKey {self.folder}/host_key\n"
            f"AuthorizedKeysFile {self.folder}/authorized_keys\n"
            "StrictModes no\n"
            "UsePAM no\n"
            "PermitRootLogin yes\n"
            "PasswordAuthentication no\n"
            "PidFile none\n"
            "PrintMotd no\n"
            "Subsystem sftp sftp-server\n"
            f"ForceCommand {shlex.join(session)}\n",
            encoding="utf-8",
        )
        sshd = find("sshd")
        assert sshd is not None
        self._start([sshd, "-D", "-e", "-f", str(configuration)], dict(os.environ), self.folder)
        until = time.monotonic() + 20
        while not is_open(self.address, self.port):
            if time.monotonic() > until:
                raise RuntimeError(f"sshd does not answer:\n{(self.folder / 'processes.log').read_text()}")
            time.sleep(0.02)


def is_open(address: str, port: int) -> bool:
    """Say whether somebody listens on a port."""
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def listening(address: str, port: int) -> Iterator[None]:
    """Hold a port as another program of the host would."""
    with socket.create_server((address, port)):
        yield


def _free_port(address: str) -> int:
    with socket.create_server((address, 0)) as server:
        return int(server.getsockname()[1])


def _descendants(process: int) -> list[int]:
    """The processes that a process started, such as an sshd those of its connections; each is a session of its own."""
    found: list[int] = []
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, children.read_text().split()):
                found += [*_descendants(child), child]
    return found


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
