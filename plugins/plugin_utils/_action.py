# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of the action plugins: the controller's half of a module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    quoted,
    redact,
    refuse,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.module_utils._licensing.system import unhandled
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import Bundle
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.vault import RunVault
from ansible_collections.aims.licensing.plugins.plugin_utils._codes import with_codes
from ansible_collections.aims.licensing.plugins.plugin_utils._controller import Controller
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.endings import endings
from ansible_collections.aims.licensing.plugins.plugin_utils._results import read_result, strange_answer

# The option that makes a task fail if its host is unreachable. Ansible runs no rescue for an unreachable host.
FAIL_UNREACHABLE = "fail_unreachable"
# Options that module_defaults may hand to every action of the group.
SERVER_OPTIONS = frozenset({"home", "root", "backend", "authority", FAIL_UNREACHABLE})

# The option by which a task accepts a bundle that is not authenticated.
ACCEPT = "accept_unauthenticated"

display = Display()


class Unreached(LicensingError):
    """The host of a module cannot be reached."""


class Untold(dict[str, Any]):
    """Arguments of a module whose values stay out of Ansible's debugging output (ANSIBLE_DEBUG)."""

    def __repr__(self) -> str:
        return f"{{arguments {', '.join(sorted(self))}}}"


class LicensingAction(ActionBase):  # type: ignore[misc]  # ansible-core has no types
    """Runs :meth:`act`, and turns every problem that it raises into a single message."""

    _requires_connection = False
    # Options beyond those of the server; None where the module checks its own.
    options: frozenset[str] | None = None
    required: frozenset[str] = frozenset()

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            self._check_options()
            try:
                result.update(self.act(task_vars or {}))
            except OSError as error:
                raise unhandled(error) from error
        except LicensingError as error:
            problems = [problem.as_dict() for problem in error.problems]
            result.update({"failed": True, "changed": False, "msg": str(error), "problems": problems})
            if isinstance(error, Unreached):
                result["reached"] = False
        return result

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Do the controller's half, and return the task's result."""
        raise AnsibleActionFail(f"{type(self).__name__} does nothing.")

    def _check_options(self) -> None:
        if self.options is not None:
            unknown = sorted(set(self._task.args) - self.options - SERVER_OPTIONS)
            if unknown:
                known = ", ".join(sorted(self.options))
                raise refuse(f"Unknown option {', '.join(unknown)}.", self._task.action, f"Known options are {known}.")
        missing = sorted(self.required - set(self._task.args))
        if missing:
            raise refuse(
                f"Option {', '.join(missing)} is missing.",
                self._task.action,
                f"Set it; 'ansible-doc {self._task.action}' describes the options.",
            )

    @property
    def dry(self) -> bool:
        """Whether the task runs in check mode."""
        return bool(self._task.check_mode)

    @property
    def vault(self) -> RunVault:
        """The vault passwords of this run."""
        return RunVault.of_run(self._loader)

    def trust(self, bundle: Bundle) -> Bundle:
        """Return the bundle; refuse it if it is not authenticated and the task does not accept that."""
        problem = bundle.doubt(self.vault)
        if problem is not None:
            if not self.flag(ACCEPT):
                raise LicensingError([problem])
            display.warning(f"Accepted by {ACCEPT}: {problem.what} [{problem.where}]")
        return bundle

    def host(self, task_vars: dict[str, Any]) -> str:
        """The inventory name of the host that the module runs on."""
        return str(self._task.delegate_to or task_vars["inventory_hostname"])

    def path(self, option: str) -> Path | None:
        """Return an option that is a path on the controller; relative paths start where the command was started."""
        value = self._task.args.get(option)
        if value and "\0" in str(value):
            raise refuse(
                f"{quoted(value)} is not a path.", option, "Write the path of a file or folder on the controller."
            )
        return Path(str(value)).expanduser().absolute() if value else None

    def flag(self, option: str, default: bool = False) -> bool:
        """Whether an option is true. A variable from the command line is a string, where "no" means false."""
        value = self._task.args.get(option)
        if value is None:
            return default
        try:
            return bool(boolean(value))
        except TypeError:
            raise refuse(f"{quoted(value)} is neither true nor false.", option, "Use true or false.") from None

    def days(self, option: str) -> int | None:
        """Return an option that is a number of days, or None. A variable from the command line is a string."""
        value = self._task.args.get(option)
        if value is None or value == "":
            return None
        try:
            days = int(value)
        except (TypeError, ValueError):
            days = -1
        if days < 0 or isinstance(value, bool):
            raise refuse(f"{quoted(value)} is not a number of days.", option, "Write a whole number, such as 30.")
        return days

    def warnings(self, overview: Overview) -> dict[str, list[str]]:
        """Return the warnings of licenses that end within the days of ``warn_days``, as part of a result."""
        within = self.days("warn_days")
        sentences = [] if within is None else endings(overview.licenses, today=now_utc().date(), within=within)
        return {"warnings": sentences} if sentences else {}

    def licenses(self, task_vars: dict[str, Any]) -> Any:
        """Return the task's licenses, with the codes that the variable in ``codes_from`` declares for them."""
        return self.coded(self._task.args.get("licenses"), task_vars)

    def coded(self, licenses: Any, task_vars: dict[str, Any]) -> Any:
        """Return licenses with the codes that the variable in ``codes_from`` declares for them.

        The codes are only in the returned value, never in the task.
        """
        name = self._task.args.get("codes_from")
        if name is None:
            return licenses
        if not isinstance(name, str) or name not in task_vars:
            todo = "Name a variable that lists {number, activation_code}, without braces."
            raise refuse(f"{quoted(name)} is not a variable of this host.", "codes_from", todo)
        # Templating raises many types over the versions of ansible-core, and none of them may end in a traceback.
        try:
            declared = self._templar.template(task_vars[name])
        except Exception as error:
            first = redact((str(error).strip().splitlines() or [type(error).__name__])[0])
            raise refuse(f"The variable cannot be resolved: {first}", name, "Define what it refers to.") from None
        return with_codes(licenses, declared)

    def module(self, task_vars: dict[str, Any], **filled_in: Any) -> dict[str, Any]:
        """Run the module of the same name on the host, with more arguments than the task gives."""
        arguments = Untold({**self._task.args, **filled_in})
        arguments.pop(FAIL_UNREACHABLE, None)
        name = str(self._task.resolved_action or self._task.action)
        module, host = name.rpartition(".")[2], self.host(task_vars)
        try:
            result = self._run(name, arguments, task_vars)
        except AnsibleConnectionFailure as error:
            if self._task.ignore_unreachable or not self.flag(FAIL_UNREACHABLE):
                raise
            raise _unreached(host, error) from None
        # Ansible expects of a host what its own modules print, and a host may print anything.
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise strange_answer(host, module, f"it cannot be read ({type(error).__name__})") from None
        result = read_result(module, host, result)
        asked = result.get("invocation", {}).get("module_args")
        for option in filled_in if isinstance(asked, dict) else ():
            asked.pop(option, None)
        # The interpreter that Ansible has looked for is a fact of the host that it was looked for on.
        key = getattr(self, "_discovered_interpreter_key", None)
        return {**result, "ansible_facts": {key: self._discovered_interpreter}} if key else result

    def controller(self, task_vars: dict[str, Any]) -> Controller:
        """The controller's side of the host that the module runs on."""
        host, shell = self.host(task_vars), getattr(self._connection, "_shell", None)
        address = str(self._play_context.remote_addr or host)
        return Controller(host, self._connection, getattr(shell, "SHELL_FAMILY", ""), address)

    def _run(self, name: str, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        controller = self.controller(task_vars)
        if controller.is_in_charge(arguments):
            return controller.run(name.rpartition(".")[2], arguments, self.dry)
        result: dict[str, Any] = self._execute_module(module_name=name, module_args=arguments, task_vars=task_vars)
        return result


class ServerAction(LicensingAction):
    """Runs the module on the host, without a controller's half."""

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        return self.module(task_vars)


def _unreached(host: str, error: Exception) -> Unreached:
    # Ansible's own advice follows on further lines.
    reason = (str(error).strip().splitlines() or ["no reason is given"])[0].rstrip(".")
    todo = "Bring it up, or correct its address, then run the same command again."
    return Unreached([Problem(f"{host} cannot be reached: {reason}.", host, todo)])
