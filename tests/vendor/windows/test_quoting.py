# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is quoted for cmd reaches a program as it was, through one cmd and through two."""

from __future__ import annotations

from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.windows_paths import nest, quote
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from vendor.windows.host import WindowsHost

# Half characters and the like are no text of a command; a quote and a control character are refused.
ARGUMENT = st.text(
    st.one_of(
        st.sampled_from(list(r" &^()=;,'`~@#$+-\ßäöüÄéñ日本語тест")),
        st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc", "Cn", "Co"), exclude_characters='"%!'),
    ),
    min_size=1,
    max_size=30,
)
MARKED = st.tuples(ARGUMENT, st.sampled_from("%!"), ARGUMENT).map("".join)
# Each command takes Wine a tenth of a second, and many arguments fit in it.
BATCH = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def passed(host: WindowsHost, line: str) -> list[str]:
    done = host.run(line)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().split("\0")[:-1]


@BATCH
@given(arguments=st.lists(st.one_of(ARGUMENT, MARKED), min_size=1, max_size=20))
@example(
    arguments=["C:\\", r"C:\Program Files (x86)\AIMMS", "100%", "a!b", r"\\?\C:\x y", "a&b", "a^b", "Müller & Söhne"]
)
def test_a_quoted_argument_reaches_a_program_as_it_was(windows: WindowsHost, arguments: list[str]) -> None:
    line = " ".join([r"C:\windows\arguments.exe", *(quote(argument) for argument in arguments)])
    assert passed(windows, line) == arguments
    assert passed(windows, f"cmd /d /v:off /c {nest(line)}") == arguments
