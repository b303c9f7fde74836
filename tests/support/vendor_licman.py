# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the vendor's ``licman``: the two documented commands, as a script that may behave in any way.

What the real one prints, its exit codes and its other options are not public. So each variant is one of the ways in
which a command can betray whoever relies on them. The options for what is not documented are made up: an operator
names them in the inventory, as whoever has the real one would.
"""

from __future__ import annotations

from pathlib import Path

from support.vendor_tree import put

_SCRIPT = """#!/bin/sh
root=${{0%/Bin/licman}}
printf '%s\\n' "$*" >>"$root.calls"
stem=$(printf %s "$2" | tr -d .)
code=$6
case $1 in
--help)
    {help}
    exit 0 ;;
--give-back)
    code=$4
    unlock() {{ rm -f "$root/Nodelocks/$stem.lock" "$root/Nodelocks/$stem.ver"; }}
    void() {{ printf 'given back\\n' >"$root/Nodelocks/$stem.lock"; }}
    {deactivate}
    exit 0 ;;
--maintenance=* | --rename | --register)
    {other}
    exit 0 ;;
esac
if [ "$1" = --profile-add ]; then
{profile}
fi
[ "$1 $3 $4 $5 $7" = "--nodelock-activate --type machine --activation-code --add-license" ] || exit 64
license() {{ printf 'license %s\\n' "$stem" >"$root/Licenses/$stem.lic"; }}
lock() {{
    printf 'nodelock of %s on %s\\n' "$stem" "$root" >"$root/Nodelocks/$stem.lock"
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
# What an operator who has read its help names.
NAMED: dict[str, list[str]] = {
    "deactivate": ["licman", "--give-back", "{number}"],
    "maintenance_on": ["licman", "--maintenance=on"],
    "maintenance_off": ["licman", "--maintenance=off"],
    "rename_profile": ["licman", "--rename", "{old_profile}", "--to", "{profile}"],
    "register_user": ["licman", "--register", "{user}"],
}
WITH_CODE = ["licman", "--give-back", "{number}", "--activation-code", "{activation_code}"]
_HELP = (
    "printf 'Usage: licman [options]\\n  --give-back NUMBER\\n  --activation-code CODE\\n  --maintenance=on|off\\n"
    "  --rename OLD\\n  --to NEW\\n  --register USER\\n'"
)
HELPS = {
    "good": _HELP,
    "exit code": f"{_HELP}; exit 64",
    "on standard error": f"{{ {_HELP}; }} >&2; exit 1",
    "utf-16": f"{_HELP} | iconv -t UTF-16LE",
    "long": f"{_HELP}; yes 'more about nothing' | head -c 100000",
    "none": ":",
    "unknown": 'echo "unknown option $1" >&2; exit 64',
    "like it": "printf '  --give-back-all\\n  --maintenance-on\\n  -rename\\n'",
    "prompt": "printf 'Which page? '; read -r answer || exit 9; " + _HELP,
    "hang": f"{_HELP}; sleep 600",
    "killed": f"{_HELP}; kill -9 $$",
}
DEACTIVATIONS = {
    "good": "unlock; echo done",
    "lock stays": "void; echo done",
    "no effect": "echo done; exit 0",
    "failure": "echo 'Cannot connect to license.aimms.com' >&2; exit 1",
    "failure with effect": "unlock; echo 'Error 7' >&2; exit 7",
    "prompt": "printf 'Sure? [y/N] '; read -r answer || exit 9; unlock",
    "hang": "echo waiting; sleep 600",
    "longer than the limit": "echo waiting; sleep 5",
    "hang with effect": "void; sleep 600",
    "hang that ignores signals": "trap '' TERM; echo waiting; sleep 600 & wait; sleep 600",
    "killed": "kill -9 $$",
    "killed with effect": "unlock; kill -9 $$",
    "half-written": ': >"$root/Nodelocks/$stem.lock"',
    "late": ': >"$root/Nodelocks/$stem.lock"; (sleep 0.3; unlock) >/dev/null 2>&1 &',
    "child holds the output": "unlock; sleep 600 & echo done",
    "another locale": VARIANTS["another locale"],
    "latin-1": VARIANTS["latin-1"],
    "utf-16": VARIANTS["utf-16"],
    "echoes the code": VARIANTS["echoes the code"],
    "read-only": "echo 'Update failed. The nodelock file is readonly'; exit 1",
    "kills its caller": "void; kill -9 $PPID; sleep 0.2",
    "kills its caller before the effect": "kill -9 $PPID; sleep 0.2",
}
# Of what no file shows.
OTHERS = {
    "good": "echo done",
    "failure": "echo 'not now' >&2; exit 1",
    "prompt": "printf 'Sure? [y/N] '; read -r answer || exit 9",
    "hang": "echo waiting; sleep 600",
    "killed": "kill -9 $$",
    "latin-1": VARIANTS["latin-1"],
    # Leaving maintenance mode restarts the server; the file stands for its process.
    "restarts": 'echo "$$" >"$root.process"; echo done',
    "failure that restarts": 'echo "$$" >"$root.process"; exit 3',
    "kills its caller": "kill -9 $PPID; sleep 0.2",
}


def make_licman(
    root: Path,
    variant: str = "good",
    profile: str = PROFILE,
    *,
    help: str = "good",
    deactivate: str = "good",
    other: str = "good",
) -> Path:
    """Put a variant of the command into a tree; return its path."""
    script = _SCRIPT.format(
        activate=VARIANTS[variant],
        profile=profile,
        help=HELPS[help],
        deactivate=DEACTIVATIONS[deactivate],
        other=OTHERS[other],
    )
    program = put(root, "Bin/licman", script.encode())
    program.chmod(0o755)
    return program


def calls(root: Path) -> list[str]:
    """The arguments of each call, as one line each."""
    place = root.with_name(f"{root.name}.calls")
    return place.read_text(encoding="utf-8").splitlines() if place.exists() else []
