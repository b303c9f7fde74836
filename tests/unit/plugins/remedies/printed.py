# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The remedies that the code can print: every text with a command to give, or a variable or option to set."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from ansible_collections.aims.licensing.plugins.module_utils import _licensing

CHECKOUT = Path(str(_licensing.__file__)).parents[3]
CODE = ("plugins/module_utils/_licensing", "plugins/plugin_utils", "plugins/action", "plugins/modules")
TASKS = ("roles", "playbooks")

_REMEDY = re.compile(
    r"(?:^|[\s'(/&])"
    r"(?:rm -f|rm …|rm /|mv …|tr -d|chmod \d|chown |systemctl |journalctl |ss -|ip address"
    r"|apt install|dnf install|pip install"
    r"|systemd-machine-id-setup|sha256sum |ansible-[a-z]+ "
    r"|licman --|authority (?:init|issue|reissue|release|process|status|list|audit|serve|realm)\b"
    r"|--[a-z]+-[a-z-]+|--(?:check|tags|ledger|license|root|listen|port|host)\b"
    r"|(?:aims_license|vault)_[a-z_]+(?::| to | or | and |\)|,|\.|$)"
    r"|\(?aims_license_[a-z_]+\)?)"
    r"|Restore |owner release|Undo the change"
)
# Style sheets are longer than any message, and what a unit file has is told to nobody.
_LONGEST = 900
# What ansible-doc shows of a module.
_DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
_FILES = re.compile(r"\[Unit\]|--home … --root|^… &&")


def filled(node: ast.expr) -> str:
    """A text with an ellipsis for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.JoinedStr)
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)


def _texts(tree: ast.Module) -> Iterator[str]:
    """The texts of a file that somebody may be told: sentences, neither docstrings nor names."""
    silent: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, (ast.Constant, ast.JoinedStr)):
            silent.add(id(node.value))
        if isinstance(node, ast.Assign) and {getattr(name, "id", "") for name in node.targets} & _DOCUMENTATION:
            silent.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            silent.update(id(part) for value in node.values for part in ast.walk(value))
        # What argparse shows is a usage, not a remedy; an assembled command line of the code's own is none either.
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in ("add_argument", "add_parser", "add_argument_group"):
            silent.update(id(part) for part in ast.walk(node))
    for node in ast.walk(tree):
        told = isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
        if told and id(node) not in silent:
            yield filled(node)  # type: ignore[arg-type]


def key(text: str) -> str:
    """A text on one line, with one ellipsis for whatever is filled in."""
    return re.sub(r"…+", "…", " ".join(text.split()))


def printed() -> dict[str, str]:
    """Return every text with a remedy, and the file that has it."""
    found: dict[str, str] = {}
    for folder in CODE:
        for file in sorted((CHECKOUT / folder).rglob("*.py")):
            for text in _texts(ast.parse(file.read_text(encoding="utf-8"))):
                if " " in text and len(text) < _LONGEST and _REMEDY.search(text) and not _FILES.search(text):
                    found.setdefault(key(text), file.relative_to(CHECKOUT).as_posix())
    for folder in TASKS:
        for file in sorted((CHECKOUT / folder).rglob("*.yml")):
            for text in _messages(yaml.safe_load(file.read_text(encoding="utf-8"))):
                if _REMEDY.search(text):
                    found.setdefault(key(re.sub(r"\{\{.*?\}\}", "…", text)), file.relative_to(CHECKOUT).as_posix())
    return found


def _messages(data: object) -> Iterator[str]:
    """What tasks tell: their ``msg`` and ``fail_msg``."""
    if isinstance(data, list):
        for one in data:
            yield from _messages(one)
    elif isinstance(data, dict):
        for name, value in data.items():
            if name in ("msg", "fail_msg") and isinstance(value, str):
                yield value
            else:
                yield from _messages(value)
