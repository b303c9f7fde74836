# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person who carries out the steps of a runbook by its JSON and nothing else.

He knows his hosts, his clients, and the values of the variables with activation codes. What to do, where, in which
order and with which values, he reads in the step. A step that does not say enough cannot be carried out and fails.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from support.posts import Clients, LinuxPost, Post, WindowsPost, reach
from support.vendor_manager import ONLINE, Manager, RequestPage
from support.vendor_tree import stem

Step = Mapping[str, Any]
# docs/domain.md#license-manager-on-windows
_MAINTENANCE = ["Maintenance", "Maintenance mode"]
_CONFIGURATION = ["Maintenance", "License", "License Configuration..."]


class Person:
    """Does what a runbook asks for.

    :param posts: the hosts by their inventory names
    :param codes: the values of the variables with activation codes, which a person reads with ansible-vault
    :param backup: returns the files of the source's newest backup by their names, application keys in plain
    :param page: the vendor's page for requests
    :param play: runs a playbook of the collection by its name
    :ivar done: the ids of the steps that were carried out, in order
    """

    def __init__(
        self,
        posts: Mapping[str, Post],
        clients: Clients,
        codes: Mapping[str, str],
        backup: Callable[[], Mapping[str, bytes]],
        play: Callable[[str], object],
        page: RequestPage,
    ) -> None:
        self._page = page
        # What he carries between the hosts and a computer with internet access, by host and name of the file.
        self._stick: dict[tuple[str, str], bytes] = {}
        self._posts, self._clients, self._codes = posts, clients, codes
        self._backup_files, self._play = backup, play
        self.done: list[str] = []

    def follow(self, runbook: Mapping[str, Any], *, by_hand: bool = False) -> list[str]:
        """Carry out all steps that are due; return the ids that have to be confirmed.

        :param by_hand: also do what a playbook would do; the step says how
        """
        due = [step for step in runbook["steps"] if step["state"] == "due" and (by_hand or not step["ours"])]
        assert runbook["due"] == [step["id"] for step in runbook["steps"] if step["state"] == "due"]
        for step in due:
            assert step["id"] not in self.done, f"{step['id']} is due again"
            host, kind, *_subject = step["id"].split("/")
            assert step["host"] == host
            getattr(self, f"_{kind.replace('-', '_')}")(step)
            self.done.append(step["id"])
        return [step["id"] for step in due if step["evidence"] == "none"]

    # What of a step is read

    def _post(self, step: Step) -> Any:
        return self._posts[step["host"]]

    def _value(self, step: Step, label: str) -> str:
        """Return what is to be entered where a label stands."""
        (value,) = [value for value in step["values"] if value["label"] == label]
        if value["variable"] is not None:
            assert value["variable"] in value["text"]
            return self._codes[value["variable"]]
        return str(value["text"])

    def _manager(self, step: Step, *path: str) -> Manager:
        """Return the license manager of a Windows host, in which the step names the way to what is clicked."""
        post: WindowsPost = self._post(step)
        assert step["path"][: len(path)] == list(path), step["path"]
        return post.manager

    # Before the night

    def _screenshot(self, step: Step) -> None:
        assert _profiles(step) == self._manager(step, "AIMMS License Manager").profiles

    def _profiles(self, step: Step) -> None:
        """Nothing shows the profiles of a Linux host; the person knows what clients ask for."""
        assert set(_profiles(step)) == {string.partition(",")[2] for string in self._clients.strings}

    def _install(self, step: Step) -> None:
        self._post(step).install()

    def _add_target(self, step: Step) -> None:
        line = self._value(step, "In Config/licenses.cfg").replace("<TAB>", "\t")
        assert line.endswith(self._value(step, "Server"))
        self._clients.add(line)

    def _reach(self, step: Step) -> None:
        _powershell, _test, host, _option, port = step["commands"][0].split()
        reach(f"{host}:{port}")

    def _back_up(self, step: Step) -> None:
        assert step["path"][-1] == "Backup Now"

    # Files

    def _copy(self, step: Step) -> None:
        """Copy a folder as robocopy's /MIR does, and bring it to the controller."""
        assert step["commands"][0].startswith(f'robocopy "C:\\ProgramData\\AIMMS" "E:\\{step["host"]}" /MIR ')
        to = Path(self._value(step, "Then copy that folder to"))
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self._post(step).manager.data, to)

    _copy_again = _copy

    def _backup(self, step: Step) -> None:
        (command,) = step["commands"]
        playbook, _command, name = command.partition("ansible-playbook aims.licensing.")
        assert (playbook, name) == ("", "backup"), command
        self._play(name)

    def _files(self, step: Step) -> None:
        assert "Licenses of the backup" in self._value(step, "From")
        self._bring(step, lambda name: name.startswith("Licenses/") and name.endswith(".cpx"))

    def _keys(self, step: Step) -> None:
        assert "ApplicationKeys of the backup" in self._value(step, "From")
        # Where Linux keeps them is not public, and nobody here is the vendor.
        if self._value(step, "To") != "ask the vendor":
            self._bring(step, lambda name: name.startswith("ApplicationKeys/"))

    def _bring(self, step: Step, wanted: Callable[[str], bool]) -> None:
        for name, content in self._backup_files().items():
            if wanted(name):
                self._post(step).put(self._value(step, "To"), name.partition("/")[2], content)

    # The source

    def _read_only(self, step: Step) -> None:
        for value in step["values"]:
            (self._manager(step).data / value["text"]).chmod(0o644)

    def _maintenance(self, step: Step) -> None:
        if step["path"]:
            self._manager(step, *_MAINTENANCE).enter_maintenance()
        else:
            self._asks_for_help(step)

    def _deactivate(self, step: Step) -> None:
        number = self._value(step, "License")
        if step["path"]:
            assert step["path"][3:] == [f"select {number}", "Deactivate..."]
            self._carry(step, self._manager(step, *_CONFIGURATION).deactivate(number, self._method(step)))
        else:
            self._asks_for_help(step)
            post: LinuxPost = self._post(step)
            post.give_back(number)

    # Offline

    def _method(self, step: Step) -> str:
        """Return the method of communication, where a page of the wizard asks for it."""
        labels = [value["label"] for value in step["values"]]
        return self._value(step, "Communication method") if "Communication method" in labels else ONLINE

    def _carry(self, step: Step, request: bytes) -> None:
        """Take a request file along under the name that the step gives it."""
        if request:
            self._stick[step["host"], self._value(step, "Request file")] = request

    def _exchange(self, step: Step) -> None:
        assert step["path"][0].startswith("a browser") and step["path"][1].startswith("https://www.aimms.com/")
        name, _from, host = self._value(step, "Request file").partition(", from ")
        response = self._page.process(self._stick[host, name], self._value(step, "E-mail address"))
        archived = Path(self._value(step, "Archive the response as"))
        archived.parent.mkdir(parents=True, exist_ok=True)
        archived.write_bytes(response)
        self._stick[host, archived.name] = response

    def _load(self, step: Step) -> None:
        number = step["id"].rpartition("/")[2]
        if step["path"]:
            assert step["path"][3] == f"select {number}"
            response = self._stick[step["host"], self._value(step, "Response file")]
            self._manager(step, *_CONFIGURATION).load(number, response, step["path"][4])
        else:
            self._asks_for_help(step)
            post: LinuxPost = self._post(step)
            post.load(number, self._stick[step["host"], f"{stem(number)}.response"])

    def _stop(self, step: Step) -> None:
        assert step["path"][-1] == "Stop All Started Services"
        self._clients.is_running = False

    # The target

    def _activate(self, step: Step) -> None:
        if step["path"]:
            pages = ["License number", "License protection", "Activation code", "Nodelock protection"]
            pages.append("Communication method")
            assert [value["label"] for value in step["values"]][: len(pages)] == pages
            manager = self._manager(step, *_CONFIGURATION)
            self._carry(step, manager.install_license(*(self._value(step, page) for page in pages)))
        elif "second request" in step["shows"]:
            self._asks_for_help(step)
            offline: LinuxPost = self._post(step)
            number = self._value(step, "License")
            self._stick[step["host"], f"{stem(number)}.request"] = offline.ask(number, self._value(step, "CODE"))
        else:
            post: LinuxPost = self._post(step)
            post.shell(step["commands"], self._value(step, "CODE"))

    def _profile(self, step: Step) -> None:
        name, number = self._value(step, "Profile"), self._value(step, "License")
        if step["path"]:
            self._manager(step, "left panel").rename_profile(name, number)
        else:
            post: LinuxPost = self._post(step)
            post.shell(step["commands"], "")

    def _order(self, step: Step) -> None:
        if step["path"]:
            ticks = {value["label"]: value["text"] == "Default ticked" for value in step["values"]}
            self._manager(step, *_CONFIGURATION).ticks = ticks
        else:
            self._asks_for_help(step)

    def _users(self, step: Step) -> None:
        if step["path"]:
            number = step["path"][0].removeprefix("select ")
            self._post(step).manager.users[number] = [value["text"] for value in step["values"]]
        else:
            self._asks_for_help(step)

    def _asks_for_help(self, step: Step) -> None:
        """Ask licman what it can do; its answer is not public, and the vendor's is not known here."""
        (command,) = step["commands"]
        assert command.endswith("/Bin/licman --help")

    # Afterwards

    def _ports(self, step: Step) -> None:
        reach(self._value(step, "Address"))

    def _compare(self, step: Step) -> None:
        assert _profiles(step) == self._manager(step, "AIMMS License Manager").profiles

    def _try(self, step: Step) -> None:
        for server in self._clients.servers[1:]:
            reach(server)

    def _strings(self, step: Step) -> None:
        for value in step["values"]:
            self._clients.enter(value["label"], value["text"])

    def _start(self, step: Step) -> None:
        assert step["path"][-1] == "start all services"
        self._clients.is_running = True

    def _stored_codes(self, step: Step) -> None:
        """The stand-in has stored no code: the step of the activation says to leave that unticked."""
        assert step["path"][0] == "regedit"

    def _scripts(self, step: Step) -> None:
        assert self._value(step, "Search for") == "--license"

    def _remove_source(self, step: Step) -> None:
        self._clients.remove(self._value(step, "Server"))

    def _keep(self, step: Step) -> None:
        """Stop the source; where it goes on for other licenses, there is nothing to do."""
        if step["title"].startswith("Keep the source running"):
            return
        assert step["title"].startswith("Stop the source")
        if step["path"]:
            manager = self._manager(step, "Maintenance", "Stop the Service")
            assert " > ".join(_MAINTENANCE) in step["reason"]
            manager.leave_maintenance()
            manager.stop_service()
        else:
            # No name of the service is known of a host that is a folder; a person knows how he stops it.
            post: LinuxPost = self._post(step)
            post.stop_service()


def _profiles(step: Step) -> dict[str, str]:
    return {value["label"].removeprefix("Profile "): value["text"] for value in step["values"]}
