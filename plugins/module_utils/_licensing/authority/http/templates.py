# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request page's templates: HTML without script, everything in it escaped unless it is our own style."""

from __future__ import annotations

import base64
import functools
import hashlib
from typing import Any

_STYLE = """
:root { color-scheme: light dark;
  --page: #f4f6f8; --card: #fff; --ink: #1b2733; --soft: #5a6875; --line: #dfe5ea; --head: #f8fafb; --accent: #24618e;
  --on-accent: #fff; --good: #17683f; --good-bg: #e1f3e9; --warn: #7d5200; --warn-bg: #fcf0d4; --bad: #a12b2b;
  --bad-bg: #fbe6e4; --info: #24618e; --info-bg: #e3eef7; --field: #8b97a2; }
@media (prefers-color-scheme: dark) { :root {
  --page: #12181e; --card: #1a222a; --ink: #e3e9ee; --soft: #9aa8b5; --line: #2d3842; --head: #1f2831;
  --accent: #7fb6e0; --on-accent: #0e1a24; --good: #7fd6a6; --good-bg: #173527; --warn: #ecc26a; --warn-bg: #3a2e13;
  --bad: #f2a19b; --bad-bg: #42201f; --info: #8fc1e8; --info-bg: #1b3247; --field: #6b7986; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 2.25rem 1.5rem 1.5rem; }
h1, h2 { line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h1 { font-size: 2rem; font-weight: 650; letter-spacing: -.015em; }
h2 { font-size: 1.15rem; font-weight: 650; }
p { margin: .3rem 0 0; overflow-wrap: anywhere; }
.eyebrow { margin: 0 0 .35rem; color: var(--accent); font-size: .8rem; font-weight: 650; letter-spacing: .07em;
  text-transform: uppercase; }
.soft, .lead { color: var(--soft); }
.lead { font-size: 1.05rem; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .9em;
  overflow-wrap: anywhere; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.25rem;
  margin: 1.25rem 0 0; }
.card.result { border-left: 6px solid var(--fg); }
.head { display: flex; flex-wrap: wrap; gap: .35rem .75rem; align-items: center; }
.badge { padding: .1rem .55rem; border-radius: .7rem; background: var(--bg); color: var(--fg); font-size: .8rem;
  font-weight: 600; }
.banner { padding: .75rem 1rem; margin: 1.25rem 0 0; border-radius: 10px; background: var(--bg); color: var(--fg);
  overflow-wrap: anywhere; }
.good { --fg: var(--good); --bg: var(--good-bg); }
.warn { --fg: var(--warn); --bg: var(--warn-bg); }
.bad { --fg: var(--bad); --bg: var(--bad-bg); }
.info { --fg: var(--info); --bg: var(--info-bg); }
.field + .field { margin-top: 1.1rem; }
label { display: block; font-weight: 600; }
input { display: block; width: 100%; margin-top: .3rem; padding: .55rem .7rem; border: 1px solid var(--field);
  border-radius: 6px; background: var(--card); color: var(--ink); font: inherit; }
input[type=file] { background: var(--head); }
input::file-selector-button { margin-right: .8rem; padding: .3rem .8rem; border: 1px solid var(--field);
  border-radius: 6px; background: var(--card); color: var(--ink); font: inherit; }
.hint { display: block; margin-top: .3rem; color: var(--soft); font-size: .85rem; }
.button { display: inline-block; margin-top: 1.1rem; padding: .55rem 1.3rem; border: 0; border-radius: 6px;
  background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 600; text-decoration: none;
  cursor: pointer; }
.button:hover { filter: brightness(1.1); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
a { color: var(--accent); }
ol { margin: .5rem 0 0; padding-left: 1.3rem; }
footer { margin-top: 2rem; padding-top: .9rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .8rem; }
@media (max-width: 600px) { main { padding: 1.25rem .85rem; } h1 { font-size: 1.6rem; } }
@media print { .button { display: none; } }
"""

_BASE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ title }}</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<style>{% raw style %}</style>
</head>
<body>
<main>
<header>
<p class="eyebrow">{{ realm }}</p>
<h1>{{ title }}</h1>
{% block lead %}{% end %}
</header>
{% block body %}{% end %}
<footer>This authority issues rehearsal licenses only; none of them is a license of AIMMS. What you upload is neither
kept beyond what the authority's ledger needs, nor shown to others.</footer>
</main>
</body>
</html>
"""

_FORM = """{% extends "base" %}
{% block lead %}<p class="lead">Upload the request files that your license servers wrote, and get the response files to
load there.</p>{% end %}
{% block body %}
{% if problem %}<div class="banner bad" role="alert" id="problem"><strong>{{ problem.what }}</strong>
{{ problem.todo }}</div>{% end %}
<form class="card" method="post" action="/requests" enctype="multipart/form-data" accept-charset="utf-8">
{% if mails %}<div class="field"><label for="email">E-mail address</label>
<input type="email" id="email" name="email" value="{{ email }}" autocomplete="email" maxlength="254" required
 aria-describedby="email-hint">
<span class="hint" id="email-hint">The response files are sent there too.</span></div>
{% end %}<div class="field"><label for="request">Request files</label>
<input type="file" id="request" name="request" accept=".request,.txt" multiple required aria-describedby="request-hint">
<span class="hint" id="request-hint">Named like <code>015120064022.request</code>; up to {{ files }} at a time.
</span></div>
<button class="button" type="submit">Process</button>
</form>
{% if not mails %}<p class="banner info" id="no-mail">No mail is sent from here: the authority has no mail server.
Download the response files from the page that follows.</p>{% end %}
{% end %}
"""

_RESULT = """{% extends "base" %}
{% block lead %}<p class="lead">{{ summary }}</p>{% end %}
{% block body %}
<p class="banner {{ mail_kind }}" id="mail" role="status">{{ mail }}</p>
{% for one in results %}
<section class="card result {{ one.kind }}">
<div class="head"><h2>{{ one.title }}</h2><span class="badge">{{ one.badge }}</span></div>
{% for line in one.lines %}<p>{{ line }}</p>
{% end %}{% if one.link %}<a class="button" href="{{ one.link }}" download="{{ one.file }}">Download {{ one.file }}</a>
{% end %}</section>
{% end %}
{% if any_link %}<section class="card"><h2>What to do with a response file</h2>
<ol><li>Carry it to where the request came from.</li>
<li>With the playbooks, put it beside its request and run the same command again. By hand, repeat the
<code>licman</code> command with <code>--response</code> and the file.</li>
<li>Load refusals too: until then the license server keeps waiting for its answer.</li></ol></section>{% end %}
<p><a href="/requests">Process more request files</a></p>
{% end %}
"""

_TEMPLATES = {"base": _BASE, "form": _FORM, "result": _RESULT}
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# What the page may do: be styled by the one style above, show the icon, and be sent to where it came from.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
ICON = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#24618e"/>'
    b'<path d="M4 8.2l2.7 2.7L12 5.6" fill="none" stroke="#fff" stroke-width="2"/></svg>\n'
)


@functools.lru_cache(maxsize=1)
def _loader() -> Any:
    from tornado.template import DictLoader

    return DictLoader(_TEMPLATES, whitespace="all")


def render(name: str, **values: Any) -> bytes:
    """Return a page."""
    page: bytes = _loader().load(name).generate(style=_STYLE, **values)
    return page
