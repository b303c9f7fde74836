# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare docs/troubleshooting.md with the code: print the messages that it lacks, and those that are gone."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "troubleshooting.md"


def texts(node: ast.expr | None, names: dict[str, list[ast.expr]]) -> list[str]:
    """Return what an argument can say; an ellipsis stands for what is filled in."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)]
    if isinstance(node, ast.IfExp):
        return [*texts(node.body, names), *texts(node.orelse, names)]
    if isinstance(node, ast.BinOp):
        return [a + b for a in texts(node.left, names) for b in texts(node.right, names)]
    if isinstance(node, ast.Name) and node.id in names:
        return [text for value in names[node.id] for text in texts(value, {})]
    return []


def messages() -> Iterator[tuple[str, str, str]]:
    """Yield file, message and advice of every problem that the code can tell."""
    for file in sorted((CHECKOUT / "plugins").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for function in [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]:
            names: dict[str, list[ast.expr]] = {}
            for node in ast.walk(function):
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    names.setdefault(node.targets[0].id, []).append(node.value)
            for node in ast.walk(function):
                called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
                if called in ("Problem", "refuse") and isinstance(node, ast.Call) and len(node.args) == 3:
                    advice = " / ".join(dict.fromkeys(texts(node.args[2], names))) or "…"
                    for what in texts(node.args[0], names):
                        yield file.relative_to(CHECKOUT / "plugins").as_posix(), what, advice


def key(text: str) -> str:
    return re.sub(r"\W*…\W*", "…", text).strip()


def main() -> int:
    page = PAGE.read_text(encoding="utf-8").partition("## What Ansible says itself")[0]
    listed = {key(cell) for cell in re.findall(r"^\| (.+?) \|", page, re.MULTILINE)}
    known = {key(what): (file, what, advice) for file, what, advice in messages() if key(what) != "…"}
    missing = [known[one] for one in sorted(known.keys() - listed)]
    for file, what, advice in missing:
        print(f"missing ({file})\n| {what} | {advice} |")
    heads = {"message", "---"}
    gone = sorted(listed - known.keys() - heads)
    for one in gone:
        print(f"gone: {one}")
    return 1 if missing or gone else 0


if __name__ == "__main__":
    sys.exit(main())
