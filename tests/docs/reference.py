# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the tables of docs/variables.md and docs/modules.md from the argument specifications and the modules.

With ``--check``, nothing is written: the command names the pages that differ and ends with 1.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
ROLES = CHECKOUT / "roles"
# The sections of docs/variables.md: a marker, and the prefix of its variables. The first prefix that fits counts.
SECTIONS = {
    "rehearsal": "aims_license_migrate_rehearse_",
    "pair": ("aims_license_migrate_", "aims_license_pro_"),
    "server": "aims_license_server_",
    "client": "aims_license_client_",
    "authority": "aims_license_authority_",
}
LICENSES = "aims_license_server_licenses"


def options() -> dict[str, dict[str, Any]]:
    """Return the specification of every inventory variable, by name.

    :raises ValueError: if two entry points describe a variable differently
    """
    known: dict[str, dict[str, Any]] = {}
    for place in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        for entry in yaml.safe_load(place.read_text(encoding="utf-8"))["argument_specs"].values():
            for name, option in entry["options"].items():
                known.setdefault(name, option)
                if option["description"] != known[name]["description"]:
                    raise ValueError(f"{name} has two descriptions; one of them is in {place.relative_to(CHECKOUT)}")
                if option.get("required"):
                    known[name] = option
    return known


def title(page: str) -> str:
    return (CHECKOUT / page).read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def marked_down(text: str) -> str:
    """Return a description with its Ansible markup as Markdown; a page of docs becomes a link."""

    def code(match: re.Match[str]) -> str:
        page, _mark, anchor = match[1].partition("#")
        if page.startswith("docs/"):
            target = page.removeprefix("docs/") + (f"#{anchor}" if anchor else "")
            return f"[{title(page)}]({target})"
        return f"`{match[1]}`"

    return re.sub(r"\b[CVO]\(([^)]+)\)", code, text).replace("|", "\\|")


def meaning(option: Mapping[str, Any]) -> str:
    text = option["description"]
    return marked_down(text if isinstance(text, str) else " ".join(text))


def default(option: Mapping[str, Any]) -> str:
    if option.get("required"):
        return "required"
    if option.get("default") is None:
        return ""
    value = option["default"]
    shown = {True: "true", False: "false", "": '""'}.get(value, value) if isinstance(value, (bool, str)) else value
    return f"`{shown}`"


def variable_table(head: str, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    yield f"| {head} | type | default | meaning |"
    yield "|---|---|---|---|"
    for name, option in rows:
        yield (
            "| "
            + " | ".join((f"`{name}`", option["type"], default(option), meaning(option))).replace("|  |", "| |")
            + " |"
        )


def section(name: str) -> str:
    return next(section for section, prefix in SECTIONS.items() if name.startswith(prefix))


def module_rows() -> Iterator[str]:
    yield "| module | does | runs on |"
    yield "|---|---|---|"
    for file in sorted((CHECKOUT / "plugins" / "modules").glob("aims_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        # What runs on the controller only is an action plugin; its module has documentation and no code.
        place = "the host" if any(isinstance(node, ast.FunctionDef) for node in tree.body) else "the controller"
        yield f"| `{file.stem}` | {short_description(tree)} | {place} |"


def short_description(tree: ast.Module) -> str:
    for node in tree.body:
        name = getattr(node.targets[0], "id", "") if isinstance(node, ast.Assign) else ""
        if name == "DOCUMENTATION" and isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            return str(yaml.safe_load(str(node.value.value))["short_description"])
    raise ValueError("The module has no DOCUMENTATION.")


def tables() -> dict[str, dict[str, str]]:
    """Return the tables of each page, by the name of their marker."""
    known = options()
    variables = {
        part: variable_table("variable", [(name, known[name]) for name in sorted(known) if section(name) == part])
        for part in SECTIONS
    }
    variables["license"] = variable_table("key", known[LICENSES]["options"].items())
    return {
        "docs/variables.md": {part: "\n".join(rows) for part, rows in variables.items()},
        "docs/modules.md": {"modules": "\n".join(module_rows())},
    }


def filled(page: str, parts: Mapping[str, str]) -> str:
    """Return a page with its tables, each between ``<!-- begin NAME -->`` and ``<!-- end -->``."""
    pattern = re.compile(r"(<!-- begin (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
    if {match[2] for match in pattern.finditer(page)} != set(parts):
        raise ValueError(f"The page needs a marker for each of {', '.join(parts)}.")
    return pattern.sub(lambda match: f"{match[1]}\n{parts[match[2]]}\n\n{match[3]}", page)


def main(arguments: list[str]) -> int:
    differing = 0
    for name, parts in tables().items():
        place = CHECKOUT / name
        before = place.read_text(encoding="utf-8")
        after = filled(before, parts)
        if before == after:
            continue
        if "--check" in arguments:
            print(f"{name} differs from what it describes. Run: python tests/docs/reference.py")
            differing = 1
        else:
            place.write_text(after, encoding="utf-8")
    return differing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
