// Copyright: (c) 2026, aims.licensing contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Words, and the parts that the console is made of: made once, then changed only where the data changed.

export const DASH = "\u2013";

// Unprintable characters (terminal escapes, bidirectional overrides) are replaced, as in the overview's other pages.
export function words(value) {
  if (value === null || value === undefined) return DASH;
  if (typeof value === "boolean") return value ? "yes" : "no";
  const text = String(value).replace(/[\p{C}\p{Z}]/gu, (c) => (c === " " ? c : "\uFFFD"));
  return text.trim() ? text : DASH;
}
export const list = (value) => (Array.isArray(value) ? value : []);
export const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
const two = (number) => String(number).padStart(2, "0");
export const clock = (date) => [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
const moment = (date) =>
  `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(date).slice(0, 5)}`;
// An authority's address may carry a user and a password.
export const address = (value) => words(value).replace(/(\/\/)[^/?#]*@/, "$1");

function span(milliseconds) {
  const minutes = Math.floor(milliseconds / 60000), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  if (minutes < 1) return "less than a minute";
  if (hours < 1) return `${minutes} min`;
  if (days < 1) return `${hours} h ${minutes % 60} min`;
  return days < 4 && hours % 24 ? `${counted(days, "day")} ${hours % 24} h` : counted(days, "day");
}

// The server's clock, which its times are compared with: the browser's may be wrong.
let skew = 0;
export const now = () => Date.now() + skew;
export function setClock(server) {
  const found = server - Date.now();
  // It comes without fractions of a second; a smaller difference is none.
  skew = Number.isNaN(found) || Math.abs(found) < 2000 ? 0 : found;
}

export function time(value, relative) {
  const date = new Date(value);
  if (value === null || value === undefined || Number.isNaN(date.getTime())) return { text: words(value) };
  const past = now() - date.getTime();
  return { text: moment(date), title: words(value), sub: relative && past >= 0 ? `${span(past)} ago` : "" };
}

export function make(tag, name = "", text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  return made;
}
export function set(node, property, value) {
  if (node[property] !== value) node[property] = value;
}

// Makes a parent's children those of the items, in their order. Children that stay are not moved, so that what is
// selected, focused and scrolled to stays too.
export function keyed(parent, items, key, create, fill) {
  const before = parent.rows_by_key || new Map(), after = new Map(), ordered = [];
  for (const item of items) {
    const base = key(item);
    let unique = base;
    for (let copy = 2; after.has(unique); copy += 1) unique = `${base} ${copy}`;
    const node = before.get(unique) || create(item);
    fill(node, item);
    after.set(unique, node);
    ordered.push(node);
  }
  for (const [name, node] of before) if (!after.has(name)) node.remove();
  let next = parent.firstChild;
  for (const node of ordered) {
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
  }
  parent.rows_by_key = after;
}

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 24;

// A chart with a column for each of `values`, `top` high; `marks` are values with a mark above, null is a gap.
function fillChart(box, { values, marks, top }, label) {
  let chart = box.querySelector("svg");
  if (!chart) {
    chart = document.createElementNS(SVG, "svg");
    for (const [name, value] of [["class", "chart"], ["role", "img"], ["preserveAspectRatio", "none"]]) {
      chart.setAttribute(name, value);
    }
    for (const name of ["ran", "use", "mark bad"]) {
      chart.append(document.createElementNS(SVG, "path"));
      chart.lastChild.setAttribute("class", name);
    }
    box.insertBefore(chart, box.firstChild);
  }
  const column = (place, from, to) => `M${place} ${from.toFixed(2)}V${to.toFixed(2)}h1V${from.toFixed(2)}Z`;
  const height = (value) => (value ? Math.max(1.5, (HEIGHT - 5) * Math.min(1, value / Math.max(1, top))) : 0);
  const drawn = [
    values.map((value, place) => (value === null ? "" : column(place, HEIGHT - 0.75, HEIGHT))),
    values.map((value, place) => (value ? column(place, HEIGHT - height(value), HEIGHT) : "")),
    marks.map((count, place) => (count ? column(place, 0, 3.5) : "")),
  ];
  chart.setAttribute("viewBox", `0 0 ${values.length} ${HEIGHT}`);
  chart.setAttribute("aria-label", label);
  drawn.forEach((parts, place) => {
    const path = parts.join("");
    if (chart.children[place].getAttribute("d") !== path) chart.children[place].setAttribute("d", path);
  });
}

// A cell: its text; a sub below, `inline` beside it, or as a `command` to copy; `share` draws a bar, in percent;
// `chart` is drawn above;
// `badge` and `tone` are colours.
export function fillCell(box, cell) {
  if (!box.firstChild) box.append(make("span"), make("span", "bar"), make("span"));
  const [value, bar, sub] = [...box.children].filter((child) => child.tagName !== "svg");
  if (cell.chart) fillChart(box, cell.chart, `${cell.text}${cell.sub ? `, ${cell.sub}` : ""}`);
  const short = cell.text.length < (cell.code ? 24 : 18);
  set(box, "className", cell.badge ? "mark" : short ? "short" : "long");
  set(value, "className", cell.badge ? `badge ${cell.badge}` : cell.code ? "code" : "");
  set(value, "textContent", cell.text);
  set(value, "title", cell.title || "");
  const known = cell.share !== undefined;
  set(bar, "hidden", !known);
  if (known) {
    if (!bar.firstChild) {
      bar.setAttribute("aria-hidden", "true");
      bar.append(make("i"));
    }
    set(bar.firstChild, "className", cell.tone || "");
    if (bar.share !== cell.share) bar.firstChild.style.width = `${cell.share}%`;
    bar.share = cell.share;
  }
  set(sub, "className", `${cell.command ? "command" : cell.inline ? "aside" : "sub"} ${cell.tone || ""}`.trim());
  set(sub, "hidden", !cell.sub);
  set(sub, "textContent", cell.sub || "");
}

// `columns` are [heading, what the cell shows of an item]; roles, since narrow screens show a table as cards.
export class Table {
  constructor(section, caption, columns, key) {
    this.columns = columns;
    this.key = key;
    const card = make("div", "card"), table = make("table"), head = make("thead"), row = make("tr");
    this.empty = make("p", "empty");
    this.table = table;
    this.body = make("tbody");
    for (const [node, role] of [[table, "table"], [head, "rowgroup"], [row, "row"], [this.body, "rowgroup"]]) {
      node.setAttribute("role", role);
    }
    for (const [heading] of columns) {
      const cell = make("th", "", heading);
      cell.scope = "col";
      cell.setAttribute("role", "columnheader");
      row.append(cell);
    }
    head.append(row);
    table.append(make("caption", "unseen", caption), head, this.body);
    card.append(this.empty, table);
    section.append(card);
  }

  row(quiet) {
    const row = make("tr", quiet ? "" : "new");
    row.setAttribute("role", "row");
    this.columns.forEach(([heading], place) => {
      const cell = make(place ? "td" : "th");
      cell.setAttribute("role", place ? "cell" : "rowheader");
      if (!place) cell.scope = "row";
      cell.dataset.label = heading;
      cell.append(make("div"));
      row.append(cell);
    });
    return row;
  }

  // Unless `quiet`, the rows that were not there before are marked for a moment.
  draw(items, empty, quiet) {
    keyed(this.body, items, this.key, () => this.row(quiet), (row, item) => {
      this.columns.forEach(([, cell], place) => fillCell(row.children[place].firstChild, cell(item)));
    });
    set(this.table, "hidden", !items.length);
    set(this.empty, "hidden", Boolean(items.length));
    set(this.empty, "textContent", items.length ? "" : empty);
  }
}

