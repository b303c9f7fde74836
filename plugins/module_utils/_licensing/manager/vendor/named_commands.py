# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of ``licman`` that an operator names, because no document does (docs/domain.md#not-public). Pure.

Whoever names one has read ``licman --help`` on the host. Each option of it has to be in that help before anything is
changed; none is guessed here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...errors import LicensingError, Problem, quoted, redact, refuse
from ...model import Word
from .reading import COMMAND

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_OPTION = re.compile(r"--?[A-Za-z][A-Za-z0-9_-]*\Z")
_MOST, _LONGEST = 30, 200
NUMBER, PROFILE, OLD_PROFILE, USER, CODE = "number", "profile", "old_profile", "user", "activation_code"
# Documented for an activation, which no command of another purpose makes.
_ACTIVATES = ("--nodelock-activate", "--add-license")


class Purpose(Word):
    """What a command is named for."""

    DEACTIVATE = "deactivate"
    MAINTENANCE_ON = "maintenance_on"
    MAINTENANCE_OFF = "maintenance_off"
    RENAME_PROFILE = "rename_profile"
    REGISTER_USER = "register_user"


# Placeholders that a command of each purpose has to have, and those that it may have.
_NEEDED: Mapping[Purpose, tuple[str, ...]] = {
    Purpose.DEACTIVATE: (NUMBER,),
    Purpose.MAINTENANCE_ON: (),
    Purpose.MAINTENANCE_OFF: (),
    Purpose.RENAME_PROFILE: (OLD_PROFILE, PROFILE),
    Purpose.REGISTER_USER: (USER,),
}
_ALLOWED: Mapping[Purpose, tuple[str, ...]] = {
    Purpose.DEACTIVATE: (NUMBER, CODE),
    Purpose.MAINTENANCE_ON: (),
    Purpose.MAINTENANCE_OFF: (),
    Purpose.RENAME_PROFILE: (OLD_PROFILE, PROFILE, NUMBER),
    Purpose.REGISTER_USER: (USER, NUMBER),
}


@dataclass(frozen=True)
class NamedCommand:
    """A command as the operator names it.

    :ivar program: ``licman``, or its path
    :ivar arguments: with placeholders, without the program
    :ivar where: the variable or option that names it, for messages
    """

    purpose: Purpose
    program: str
    arguments: tuple[str, ...]
    where: str

    @property
    def options(self) -> tuple[str, ...]:
        """The options among its arguments, without their values."""
        return tuple(argument.partition("=")[0] for argument in self.arguments if argument.startswith("-"))

    def takes(self, placeholder: str) -> bool:
        return any(placeholder in _PLACEHOLDER.findall(argument) for argument in self.arguments)

    def filled(self, values: Mapping[str, str]) -> list[str]:
        """Return the arguments with values for their placeholders.

        :raises LicensingError: a value would be read as an option
        """
        for name, value in values.items():
            if self.takes(name) and value.startswith("-"):
                raise refuse(f"{quoted(value)} would be read as an option of licman.", self.where, "Change this value.")
        return [_PLACEHOLDER.sub(lambda match: values[match[1]], argument) for argument in self.arguments]

    def problems(self, help_text: str, program: str, home: str) -> list[Problem]:
        """Say what keeps the command from being run here.

        :param help_text: what ``licman --help`` prints
        :param program: the path of licman
        :param home: the license server's folder
        """
        problems = []
        if self.program not in (COMMAND, program):
            what = f"The command for {self.purpose} runs another program than licman: {quoted(self.program)}."
            problems.append(Problem(what, self.where, f"Begin it with licman, or with {program}."))
        for argument in self.arguments:
            value = argument.partition("=")[2] if argument.startswith("-") else argument
            if value.startswith("/") and not f"{value}/".startswith(f"{home.rstrip('/')}/"):
                what = f"The command for {self.purpose} names a path outside of the license server's folder."
                problems.append(Problem(what, self.where, f"Name a path below {home}, or leave {quoted(value)} out."))
        for option in self.options:
            if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", help_text):
                what = f"licman --help does not name the option {option} of the command for {self.purpose}."
                todo = f"Read '{program} --help' on the host, and correct the command. Nothing was changed."
                problems.append(Problem(what, self.where, todo))
        return problems


NamedCommands = Mapping[Purpose, NamedCommand]


def read_commands(data: object, where: str) -> dict[Purpose, NamedCommand]:
    """Read the commands that an inventory names.

    :param data: purpose → list of arguments; None where it names none
    :raises LicensingError: with everything that is wrong with them
    """
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        todo = 'Write {deactivate: [licman, OPTION, "{number}"]}, with the option that licman --help names.'
        raise refuse("The commands for the vendor's license server are not a dictionary.", where, todo)
    commands: dict[Purpose, NamedCommand] = {}
    problems: list[Problem] = []
    for name, arguments in data.items():
        try:
            command = _read(name, arguments, f"{where}.{redact(str(name)[:100])}")
            commands[command.purpose] = command
        except LicensingError as error:
            problems.extend(error.problems)
    if problems:
        raise LicensingError(problems)
    return commands


def registers_users(named: Mapping[Purpose, NamedCommand]) -> bool:
    """Whether a command registers users in a call for several licenses, which cannot say of which one a user is."""
    command = named.get(Purpose.REGISTER_USER)
    return command is not None and not command.takes(NUMBER)


def _read(name: object, arguments: object, where: str) -> NamedCommand:
    known = {purpose.value: purpose for purpose in Purpose}
    if not isinstance(name, str) or name not in known:
        todo = f"Commands can be named for {', '.join(known)}."
        raise refuse(f"{quoted(name)} is nothing that a command is named for.", where, todo)
    if (
        not isinstance(arguments, (list, tuple))
        or not 1 <= len(arguments) <= _MOST
        or not all(isinstance(argument, str) and 0 < len(argument) <= _LONGEST for argument in arguments)
    ):
        todo = f"Write a list of the program and its arguments, each in quotes, at most {_MOST}."
        raise refuse(f"The command for {name} is not a list of texts.", where, todo)
    command = NamedCommand(known[name], arguments[0], tuple(arguments[1:]), where)
    problems = _problems(command)
    if problems:
        raise LicensingError(problems)
    return command


def _problems(command: NamedCommand) -> list[Problem]:
    purpose, where = command.purpose, command.where
    problems = []
    if command.program.rpartition("/")[2] != COMMAND:
        what = f"The command for {purpose} runs another program than licman: {quoted(command.program)}."
        problems.append(Problem(what, where, "Begin it with licman. Other programs are a person's to run."))
    if not command.options:
        what = f"The command for {purpose} has no option, so that licman --help cannot confirm it."
        problems.append(Problem(what, where, "Name the option of licman that does this."))
    if any(option in _ACTIVATES for option in command.options):
        what = f"The command for {purpose} has an option that activates licenses."
        problems.append(Problem(what, where, "Name the option that licman --help has for this purpose."))
    for argument in (command.program, *command.arguments):
        problems += _argument_problems(argument, purpose, where)
    problems += _placeholder_problems(command)
    return problems


def _argument_problems(argument: str, purpose: Purpose, where: str) -> list[Problem]:
    option, equals, value = argument.partition("=")
    if redact(argument) != argument:
        what = f"The command for {purpose} has an activation code or a login."
        return [Problem(what, where, "Write {activation_code}, and keep the code in Ansible Vault.")]
    if not argument.isprintable():
        what = f"The command for {purpose} has an invisible character."
        return [Problem(what, where, "Type the argument instead of copying it.")]
    if argument.startswith("-") and not _OPTION.match(option):
        what = f"The command for {purpose} has {quoted(argument)}, which is no option."
        return [Problem(what, where, "Write options as licman --help does; a placeholder is an argument or a value.")]
    path = value if argument.startswith("-") and equals else argument
    if ".." in path.split("/") or ("/" in path and not path.startswith("/")):
        what = f"The command for {purpose} has {quoted(argument)}, which is no full path."
        return [Problem(what, where, "Write a full path below the license server's folder.")]
    return []


def _placeholder_problems(command: NamedCommand) -> list[Problem]:
    purpose, where = command.purpose, command.where
    allowed, needed = _ALLOWED[purpose], _NEEDED[purpose]
    texts = (command.program, *command.arguments)
    unknown = sorted({name for text in texts for name in _PLACEHOLDER.findall(text) if name not in allowed})
    unknown += [quoted(text) for text in texts if re.search(r"[{}]", _PLACEHOLDER.sub("", text))]
    problems = []
    if unknown:
        what = f"The command for {purpose} has unknown placeholders: {', '.join(unknown)}."
        todo = f"It can have {_listed(allowed) or 'none'}."
        problems.append(Problem(what, where, todo))
    missing = [name for name in needed if not command.takes(name)]
    if missing:
        what = f"The command for {purpose} lacks {_listed(missing)}."
        problems.append(Problem(what, where, "Add the placeholder where the value belongs."))
    return problems


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)
