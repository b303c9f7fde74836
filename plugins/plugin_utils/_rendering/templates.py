# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The templates of the self-contained pages."""

from __future__ import annotations

from jinja2 import DictLoader, Environment, StrictUndefined

_STYLE = """
:root { color-scheme: light dark;
  --page: #f4f6f8; --card: #fff; --ink: #1b2733; --soft: #5a6875; --line: #dfe5ea; --head: #f8fafb; --accent: #24618e;
  --good: #17683f; --good-bg: #e1f3e9; --warn: #7d5200; --warn-bg: #fcf0d4; --bad: #a12b2b; --bad-bg: #fbe6e4;
  --info: #24618e; --info-bg: #e3eef7; --quiet: #4c5a67; --quiet-bg: #e9edf1; }
@media (prefers-color-scheme: dark) { :root {
  --page: #12181e; --card: #1a222a; --ink: #e3e9ee; --soft: #9aa8b5; --line: #2d3842; --head: #1f2831;
  --accent: #7fb6e0;
  --good: #7fd6a6; --good-bg: #173527; --warn: #ecc26a; --warn-bg: #3a2e13; --bad: #f2a19b; --bad-bg: #42201f;
  --info: #8fc1e8; --info-bg: #1b3247; --quiet: #b3bfca; --quiet-bg: #2a343e; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 2.25rem 1.5rem 1.5rem; }
h1, h2, h3 { line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h1 { font-size: 2rem; font-weight: 650; letter-spacing: -.015em; }
h2 { font-size: 1.15rem; font-weight: 650; margin: 2.25rem 0 .75rem; }
h3 { font-size: .95rem; font-weight: 650; padding: .8rem 1rem; }
p { margin: .3rem 0 0; overflow-wrap: anywhere; }
.eyebrow { margin: 0 0 .35rem; color: var(--accent); font-size: .8rem; font-weight: 650; letter-spacing: .07em;
  text-transform: uppercase; }
.soft, .lead { color: var(--soft); }
.lead { font-size: 1.05rem; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: .9em; }
code { overflow-wrap: anywhere; }
.card, .tiles, .banner { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.card { overflow-x: auto; }
.card.pad { padding: 1rem; }
.card.hero { padding: 1.5rem; border-left: 6px solid var(--edge, var(--line)); }
.tiles { display: flex; flex-wrap: wrap; margin: 1.25rem 0 0; overflow: hidden; }
.tiles div { flex: 1 1 9.5rem; padding: .85rem 1rem; box-shadow: -1px -1px 0 var(--line); }
.tiles dt { color: var(--soft); font-size: .8rem; }
.tiles dd { margin: .1rem 0 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.banner { padding: .75rem 1rem; margin: 1rem 0 0; background: var(--bg); border-color: transparent; color: var(--fg);
  overflow-wrap: anywhere; }
.lines { white-space: pre-line; }
.banner ul { margin: .3rem 0 0; padding-left: 1.2rem; }
.good { --fg: var(--good); --bg: var(--good-bg); --edge: var(--good); }
.warn { --fg: var(--warn); --bg: var(--warn-bg); --edge: var(--warn); }
.bad { --fg: var(--bad); --bg: var(--bad-bg); --edge: var(--bad); }
.info { --fg: var(--info); --bg: var(--info-bg); --edge: var(--info); }
.quiet { --fg: var(--quiet); --bg: var(--quiet-bg); --edge: var(--quiet); }
.badge { display: inline-block; padding: .1rem .55rem; border-radius: .7rem; background: var(--bg); color: var(--fg);
  font-size: .8rem; font-weight: 600; }
table { width: 100%; border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th { background: var(--head); color: var(--soft); font-size: .78rem; font-weight: 600; text-align: left;
  vertical-align: bottom; line-height: 1.3; }
th, td { padding: .55rem .5rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: 1rem; }
td { vertical-align: top; overflow-wrap: anywhere; }
.short { white-space: nowrap; }
.long { min-width: 6.4rem; }
.mark { overflow-wrap: break-word; }
td:first-child { font-weight: 600; }
tbody tr:last-child td { border-bottom: 0; }
.sub { display: block; color: var(--soft); font-size: .8rem; font-weight: 400; }
.bar { display: block; width: 4.5rem; height: 4px; margin-top: .3rem; border-radius: 2px; background: var(--line); }
.bar i { display: block; height: 100%; border-radius: 2px; background: var(--accent); }
.empty { margin: 0; padding: .85rem 1rem; color: var(--soft); }
.two { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem; align-items: start; }
.two h2 { margin-top: 0; }
.panels { margin-top: .75rem; }
.panels .empty { padding-top: 0; }
.gap { margin-top: 2.25rem; }
.facts { display: grid; margin: 0; gap: .85rem 1.5rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); }
.facts dt { color: var(--soft); font-size: .8rem; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.names { columns: 15rem; margin: 0; padding: .75rem 1rem; list-style: none; }
.names li { overflow-wrap: anywhere; break-inside: avoid; padding: .1rem 0; }
.copy span { color: var(--soft); font-size: .8rem; }
.copy + .copy { margin-top: .8rem; }
pre { margin: .25rem 0 0; padding: .6rem .75rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--head); tab-size: 8; white-space: pre-wrap; overflow-wrap: anywhere; user-select: all; }
footer { margin-top: 2.5rem; padding-top: .9rem; border-top: 1px solid var(--line);
  color: var(--soft); font-size: .8rem; }
@media screen and (max-width: 1100px) {
  .two { grid-template-columns: minmax(0, 1fr); }
  .two > * + * > h2 { margin-top: 1.25rem; }
  table { display: block; }
  thead { display: none; }
  tbody { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)); }
  tr { display: block; padding: .6rem 1rem; box-shadow: 0 -1px 0 var(--line); }
  td, td:first-child { display: grid; grid-template-columns: 8.5rem minmax(0, 1fr); padding: .18rem 0; border: 0; }
  td::before { content: attr(data-label); color: var(--soft); font-size: .8rem; font-weight: 400; }
  .card { overflow: hidden; }
}
@media screen and (max-width: 600px) {
  main { padding: 1.25rem .85rem; }
  h1 { font-size: 1.6rem; }
  .tiles div { flex-basis: 45%; }
}
@media print {
  :root { color-scheme: light;
    --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --head: #fff; --accent: #24618e;
    --good: #17683f; --good-bg: #fff; --warn: #7d5200; --warn-bg: #fff; --bad: #a12b2b; --bad-bg: #fff;
    --info: #24618e; --info-bg: #fff; --quiet: #333; --quiet-bg: #fff; }
  @page { size: A4 landscape; margin: 12mm; }
  html { font-size: 11px; }
  body { font-size: 1rem; }
  main { max-width: none; padding: 0; }
  h2 { margin-top: 1.2rem; break-after: avoid; }
  .card { overflow: visible; }
  th { background: none; }
  .tiles, tr, .copy, .panels .card { break-inside: avoid; }
  .badge, .banner { border: 1px solid var(--fg); }
}
"""

_BASE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>{{ title }}</title>
<style>{% include "style" %}</style>
</head>
<body>
<main>
{% block body %}{% endblock %}
</main>
</body>
</html>
"""

_MACROS = """
{%- macro cell(c) -%}
{%- if c.badge %}<span class="badge {{ c.badge }}">{{ c.text }}</span>
{%- elif c.code %}<code>{{ c.text }}</code>{% else %}{{ c.text }}{% endif -%}
{%- if c.share is not none -%}
<span class="bar" aria-hidden="true"><i style="width:{{ c.share }}%"></i></span>
{%- endif -%}
{%- if c.sub %}<span class="sub">{{ c.sub }}</span>{% endif -%}
{%- endmacro -%}

{%- macro grid(t) -%}
{%- if t.rows %}
<table role="table" aria-label="{{ t.label }}">
<thead role="rowgroup"><tr role="row">
{%- for h in t.headers %}<th role="columnheader" scope="col">{{ h }}</th>{% endfor %}</tr></thead>
<tbody role="rowgroup">
{% for row in t.rows -%}
<tr role="row">
{%- for c in row %}<td role="cell" data-label="{{ t.headers[loop.index0] }}"><div class="
{{- 'mark' if c.badge else 'short' if c.text|length < (24 if c.code else 16) else 'long' }}">
{{- cell(c) }}</div></td>{% endfor %}</tr>
{% endfor -%}
</tbody>
</table>
{%- else %}
<p class="empty">{{ t.empty }}</p>
{%- endif -%}
{%- endmacro -%}

{%- macro section(t) %}
<section><h2>{{ t.label }}</h2><div class="card">{{ grid(t) }}</div></section>
{% endmacro -%}

{%- macro panel(t) %}
<section class="card"><h3>{{ t.label }}</h3>{{ grid(t) }}</section>
{% endmacro -%}

{%- macro tiles(items) %}
<dl class="tiles">{% for name, value in items %}<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>{% endfor %}</dl>
{% endmacro -%}
"""

_OVERVIEW = """{% extends "base" %}
{% import "macros" as m %}
{% block body %}
<header>
<p class="eyebrow">License server overview</p>
<h1>{{ host }}</h1>
<p class="lead">As of {{ made }}</p>
</header>
{% for kind, head, words in banners %}<p class="banner {{ kind }}" role="note">
<strong>{{ head }}.</strong> {{ words }}</p>
{% endfor %}
{{ m.tiles(tiles) }}
{{ m.section(licenses) }}
{{ m.section(profiles) }}
{% if var.rows %}{{ m.section(var) }}{% endif %}
{{ m.section(pending) }}
<div class="two gap">
{{ m.section(clients) }}
<section><h2>Users</h2><div class="card">
{%- if users %}<ul class="names">{% for user in users %}<li>{{ user }}</li>{% endfor %}</ul>
{%- else %}<p class="empty">No user is registered.</p>{% endif %}</div></section>
</div>
<section><h2>Server</h2><div class="card pad"><dl class="facts">
{% for name, c in facts %}<div><dt>{{ name }}</dt><dd>{{ m.cell(c) }}</dd></div>
{% endfor %}</dl></div></section>
<footer>Made {{ made }}. Bundle digest <code>{{ digest }}</code>.
This page holds no activation codes and no keys.</footer>
{% endblock %}
"""

_REPORT = """{% extends "base" %}
{% import "macros" as m %}
{% block body %}
<header>
<div class="card hero {{ kind }}">
<p class="eyebrow">{{ noun }} report</p>
<h1>{{ headline }}</h1>
<p class="lead">{{ summary }}</p>
<p class="soft">{{ source }} → {{ target }}, {{ made }}</p>
</div>
</header>
{% if next_step %}<p class="banner info"><strong>Next step:</strong>
<span class="lines">{{ next_step }}</span></p>{% endif %}
{% if differences %}<div class="banner warn"><strong>{{ target }} differs from what {{ source }} was:</strong>
{#- #}<ul>{% for line in differences %}<li>{{ line }}</li>{% endfor %}</ul></div>{% endif %}
{{ m.tiles(tiles) }}
{% if requests.rows %}{{ m.section(requests) }}{% endif %}
<section><h2>Before and after</h2>
{% if compared and not differences %}
<p class="soft">Licenses, profiles, their order and defaults, and users on {{ target }} are
what they were on {{ source }}.</p>{% endif %}
<div class="two panels">
{{ m.panel(before) }}
{{ m.panel(after) }}
</div></section>
{{ m.section(plan) }}
{% if notes %}<ul class="soft">{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>{% endif %}
{{ m.section(left_behind) }}
<div class="two gap">
<section><h2>For the PRO configuration</h2><div class="card pad">
{%- for profile, string in strings %}<div class="copy"><span>{{ profile }}</span><pre>{{ string }}</pre></div>
{%- else %}<span class="soft">No connection strings.</span>{% endfor %}</div></section>
<section><h2>For the clients' licenses.cfg</h2><div class="card pad">
{%- if licenses_cfg %}<pre>{{ licenses_cfg }}</pre>{% else %}<span class="soft">No lines.</span>{% endif -%}
</div></section>
</div>
<section><h2>Backup</h2><div class="card pad"><dl class="facts"><div><dt>Bundle, on the controller</dt>
<dd><code>{{ bundle }}</code></dd></div></dl></div></section>
<footer>Made {{ made }}. This page holds no activation codes and no keys.</footer>
{% endblock %}
"""

ENVIRONMENT = Environment(
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    loader=DictLoader({"base": _BASE, "style": _STYLE, "macros": _MACROS, "overview": _OVERVIEW, "report": _REPORT}),
)
