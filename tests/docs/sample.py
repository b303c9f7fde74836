# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print task names, messages and docstrings of the whole collection, drawn at random, for a review of the language."""

from __future__ import annotations

import argparse
import ast
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from messages import CHECKOUT, messages

_TASKS = ("roles", "playbooks", "extensions")
_NAME = re.compile(r"^ *- name: (.+?)(?: # noqa.*)?$", re.MULTILINE)


def task_names() -> list[str]:
    """Return the names of plays and tasks in roles, playbooks and scenarios, each with its file."""
    files = [file for folder in _TASKS for file in (CHECKOUT / folder).rglob("*.yml") if "meta" not in file.parts]
    return _lines((file, name) for file in files for name in _NAME.findall(file.read_text(encoding="utf-8")))


def printed_messages() -> list[str]:
    """Return the messages that plugins print, each with its advice and its file."""
    texts = ((CHECKOUT / "plugins" / file, f"{what} -> {advice}") for file, what, advice in messages())
    return _lines(texts)


def docstrings() -> list[str]:
    """Return the docstrings of the plugins, each with its file."""
    return _lines(
        (file, text)
        for file in (CHECKOUT / "plugins").rglob("*.py")
        for text in _docstrings(ast.parse(file.read_text()))
    )


def _docstrings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text:
                yield text


def _lines(texts: Iterator[tuple[Path, str]]) -> list[str]:
    """Return texts on a line each, in an order that depends on nothing but the texts."""
    return sorted({f"{' '.join(text.split())}  [{file.relative_to(CHECKOUT).as_posix()}]" for file, text in texts})


def sample(seed: int, count: int) -> list[str]:
    """Return a sample of each kind; the same seed gives the same sample of the same collection."""
    chance = random.Random(seed)
    kinds = (task_names(), printed_messages(), docstrings())
    return [line for kind in kinds for line in chance.sample(kind, count)]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=14, help="what the sample depends on")
    parser.add_argument("--count", type=int, default=10, help="texts of each kind")
    options = parser.parse_args(arguments)
    print("\n".join(sample(options.seed, options.count)))


if __name__ == "__main__":
    main()
