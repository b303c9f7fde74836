# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the vendor's ``licman``: the two documented commands, as a script that may behave in any way.

What the real one prints, its exit codes and its other options are not public. So each variant is one of the ways in
which a command can betray whoever relies on them.
"""

from __future__ import annotations

from pathlib import Path

from support.vendor_tree import put

_SCRIPT = """#!/bin/sh
root=${{0%/Bin/licman}}
printf '%s\\n' "$*" >>"$root.calls"
stem=$(printf %s "$2" | tr -d .)
code=$6
if [ "$1" = --profile-add ]; then
{profile}
fi
[ "$1 $3 $4 $5 $7" = "--nodelock-activate --type machine --activation-code --add-license" ] || exit 64
license() {{ printf 'license %s\\n' "$stem" >"$root/Licenses/$stem.lic"; }}
lock() {{
    printf 'nodelock of %s\\n' "$stem" >"$root/Nodelocks/$stem.lock"
    printf '1\\n' >"$root/Nodelocks/$stem.ver"
}}
{activate}
"""
PROFILE = 'printf "%s\\n" "$2" >>"$root/Config/profiles"; exit 0'
GOOD = "license; lock; echo done"
VARIANTS = {
    "good": GOOD,
    "no effect": "echo done; exit 0",
    "failure": "echo 'Cannot connect to license.aimms.com' >&2; exit 1",
    "failure with effect": "license; lock; echo 'Error 7' >&2; exit 7",
    "prompt": "printf 'Overwrite? [y/N] '; read -r answer || exit 9; license; lock",
    "hang": "echo waiting; sleep 600",
    "hang with effect": "license; lock; sleep 600",
    "hang that ignores signals": "trap '' TERM; echo waiting; sleep 600 & wait; sleep 600",
    "killed": "license; kill -9 $$",
    "half-written": 'license; : >"$root/Nodelocks/$stem.lock"',
    "late": 'license; : >"$root/Nodelocks/$stem.lock"; (sleep 0.3; lock) >/dev/null 2>&1 &',
    "child holds the output": "license; lock; sleep 600 & echo done",
    "another locale": "[ \"$LC_ALL\" = C ] || { echo 'Lizenz fehlt'; exit 5; }; echo 'in English'; exit 5",
    "latin-1": "printf 'Fehler: ung\\374ltiger Schl\\374ssel\\n'; exit 5",
    "utf-16": "printf '%s' \"Error: $code\" | sed 's/./&\\x00/g'; exit 5",
    "echoes the code": 'echo "code $code"; echo "$code" | tr A-Z a-z; echo "$code" | tr - " "; '
    'echo "$code" | fold -w 7; echo "wrong group ${code%%-*}"; exit 5',
    "academic": "echo 'This license can only be activated using a personal nodelock'; exit 1",
    "flood": "yes 'a line of no use' | head -c 4000000; echo 'the end'; exit 5",
    "kills its caller": "license; lock; kill -9 $PPID; sleep 0.2",
    "kills its caller before the effect": "kill -9 $PPID; sleep 0.2",
}


def make_licman(root: Path, variant: str = "good", profile: str = PROFILE) -> Path:
    """Put a variant of the command into a tree; return its path."""
    script = _SCRIPT.format(activate=VARIANTS[variant], profile=profile)
    program = put(root, "Bin/licman", script.encode())
    program.chmod(0o755)
    return program


def calls(root: Path) -> list[str]:
    """The arguments of each call, as one line each."""
    place = root.with_name(f"{root.name}.calls")
    return place.read_text(encoding="utf-8").splitlines() if place.exists() else []
