// Copyright: (c) 2026, aims.licensing contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Keeps the console up to date. What the server tells is only ever put into text, never into markup.
import {
  DASH, Table, address, clock, counted, fillCell, keyed, list, make, now, set, setClock, time, words,
} from "./parts.js";

const EVERY = 2000; // milliseconds between two looks at the server
const PATIENCE = 5000; // milliseconds until an answer is taken for none
const SEARCH_EVERY = 10000; // milliseconds between two searches through all clients
const HISTORY_EVERY = 20000; // milliseconds between two looks at the last day
const SEARCH_PAGES = 50; // of 1000 clients each
const MOST_ROWS = 200;
const DAY = 86400000;
const STATUS = {
  "Active": "good", "Inactive Nodelock": "quiet", "Expired": "bad",
  "Pending Activation": "warn", "Pending Deactivation": "warn",
};
const $ = (id) => document.getElementById(id);

// ---- what each table shows ------------------------------------------------------------------------------------------

const text = (field) => (item) => ({ text: words(item[field]) });
const code = (field) => (item) => ({ text: words(item[field]), code: true });
const mark = (field) => (item) => ({ text: words(item[field]), badge: item[field] === true ? "info" : "" });

function seats({ in_use: used, seats: all }) {
  const cell = { text: `${words(used)} of ${words(all)}` };
  if (!Number.isInteger(used) || !Number.isInteger(all) || all < 1) return cell;
  const full = used >= all;
  return { ...cell, share: Math.min(100, Math.max(used ? 3 : 0, Math.round((100 * used) / all))),
    tone: full ? "warn" : "", sub: full ? "none free" : "" };
}

function status(license) {
  const found = words(license.status);
  const sub = license.fenced ? `fenced since ${time(license.fenced).text}`
    : license.until ? `emergency until ${time(license.until).text}` : "";
  return { text: found, badge: STATUS[found] || "quiet", sub };
}

function transfers({ transfers: account }) {
  if (!account || account.left === null || account.left === undefined) return { text: DASH };
  const limit = account.limit === undefined ? "" : ` of ${words(account.limit)}`;
  const sub = account.returns ? `next returns ${time(account.returns).text.slice(0, 10)}` : "";
  return { text: `${words(account.left)}${limit}`, badge: account.left === 0 ? "bad" : "", sub };
}

function expiry(license) {
  const left = Math.floor((Date.parse(`${license.expiry}T00:00:00Z`) - now()) / DAY) + 1;
  const soon = left >= 0 && left <= 60;
  const sub = soon ? (left ? `in ${counted(left, "day")}` : "today is the last day") : left < 0 ? "expired" : "";
  return { text: words(license.expiry), sub, tone: left < 0 ? "bad" : left <= 30 ? "warn" : "" };
}

function advice({ number, action, file, answered }) {
  const online = /^(https|ledger):/.test((overview.server || {}).authority || "");
  const option = action === "activate" ? "--nodelock-activate" : "--nodelock-deactivate";
  const parts = [`Bin/licman ${option} ${words(number)}`];
  if (action === "activate") parts.push("--activation-code -");
  let first = "The response is here; it only has to be loaded.";
  if (!answered && online) {
    first = "The answer did not arrive; it is asked for again under the same id.";
  } else if (!answered) {
    first = "Have the authority process the file; make no second request.";
    parts.push(`--response ${words(file).replace(/\.request$/, ".response")}`);
  }
  return { text: `${first} Run the playbook again, or:`, sub: parts.join(" \\\n  "), command: true };
}

// The most seats in use in each part of the last day, and what was asked for and not there.
function day({ number, seats: all }) {
  const found = lastDay.licenses.find((license) => license.number === number);
  if (!found) return { text: DASH };
  const denied = found.denied.reduce((total, count) => total + (count || 0), 0);
  return { text: `at most ${Math.max(0, ...found.in_use)}`, sub: denied ? `${counted(denied, "take")} denied` : "",
    tone: denied ? "bad" : "", chart: { values: found.in_use, marks: found.denied, top: Number(all) || 1 } };
}

const licenses = (heading, file) => [
  [heading, code("number")], ["In use", seats], ["Last 24 hours", day], [file, code("file")],
  ["Type", ({ type, protection }) => ({ text: words(type), sub: protection === "None" ? "" : words(protection) })],
  ["Status", status], ["Transfers left", transfers], ["Valid until", expiry],
];
const clientKey = (client) =>
  JSON.stringify(["client", "address", "user", "profile", "license", "since"].map((field) => client[field]));
const TABLES = {
  licenses: new Table($("licenses"), "Licenses", licenses("License", "File name"), (license) => license.number),
  vars: new Table($("vars"), "VAR licenses", licenses("VAR license", "Path"), (license) => license.number),
  profiles: new Table($("profiles"), "Profiles", [
    ["Profile", text("name")], ["License", code("license")], ["In use", text("in_use")],
    ["Re-use", text("reuse")], ["Default", mark("default")],
  ], (profile) => profile.name),
  clients: new Table($("clients"), "Clients", [
    ["Client", text("client")], ["Address", code("address")], ["User", text("user")], ["Profile", text("profile")],
    ["Logged on since", (client) => ({ ...time(client.since, true), inline: true })],
  ], clientKey),
  pending: new Table($("pending"), "Pending requests", [
    ["License", code("number")], ["Action", text("action")], ["Since", (request) => time(request.made, true)],
    ["Request file", code("file")],
    ["Response", ({ answered }) => ({ text: answered ? "here" : "awaited", badge: answered ? "info" : "warn" })],
    ["What to do", advice],
  ], (request) => request.number),
};

// ---- the whole page -------------------------------------------------------------------------------------------------

const HOST = $("host").textContent;
let overview = null; // the last one, for the filter
let lastDay = { licenses: [], at: 0 };
let filtered = null; // how the clients shown were chosen
let everyone = { clients: [], at: 0, failed: false }; // where a filter looks through more clients than the overview has

function facts(parent, pairs) {
  keyed(parent, pairs.filter(([, cell]) => cell.text !== DASH), ([name]) => name, ([name]) => {
    const pair = make("div"), value = make("dd");
    value.append(make("div"));
    pair.append(make("dt", "", name), value);
    return pair;
  }, (pair, [, cell]) => fillCell(pair.lastChild.firstChild, cell));
}

function banners(items) {
  keyed($("banners"), items, ([, head]) => head, ([kind, head]) => {
    const banner = make("p", `banner ${kind}`);
    banner.append(make("strong", "", `${head}.`), " ", make("span"));
    return banner;
  }, (banner, [, , told]) => set(banner.lastChild, "textContent", told));
}

function drawServer(server, running) {
  const up = time(running.started, true);
  facts($("about"), [
    ["Version", { text: words(server.version || running.version) }],
    ["Home", { text: words(server.home || running.home), code: true }],
    ["Authority", { text: address(server.authority), code: true }],
    ["Up for", { text: up.sub ? up.sub.replace(/ ago$/, "") : DASH, title: up.title }],
  ]);
  const realm = server.realm || {}, listen = running.listen || {};
  facts($("facts"), [
    ["Running since", { text: up.text, title: up.title }], ["Process", { text: words(running.pid) }],
    ["Realm", { text: words(realm.name) }], ["Realm id", { text: words(realm.id), code: true }],
    ["Home id", { text: words(server.home_id), code: true }],
    ["Package digest", { text: words(server.digest || running.digest), code: true }],
    ["Root", { text: server.root ? words(server.root) : DASH, code: true }],
    ["Clients reach it at", { text: listen.clients ? words(listen.clients) : DASH, code: true }],
    ["Management at", { text: listen.management ? words(listen.management) : DASH, code: true }],
  ]);
}

function drawTiles(all, pending) {
  const sum = (field) => all.reduce((total, license) => total + (Number(license[field]) || 0), 0);
  const left = all.map((license) => license.transfers && license.transfers.left).filter(Number.isInteger);
  const known = all.every((license) => Number.isInteger(license.in_use));
  const total = Number.isInteger(overview.clients_total) ? overview.clients_total : list(overview.clients).length;
  const active = all.filter((license) => license.status === "Active").length;
  for (const [tile, value] of [
    ["active", `${active} of ${all.length}`], ["seats", `${known ? sum("in_use") : DASH} of ${sum("seats")}`],
    ["clients", total], ["pending", pending.length], ["transfers", left.length ? Math.min(...left) : DASH],
  ]) set($(`tile-${tile}`), "textContent", String(value));
}

function drawClients() {
  const shown = list(overview.clients);
  const total = Number.isInteger(overview.clients_total) ? overview.clients_total : shown.length;
  const wanted = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const partial = total > shown.length;
  const searched = partial && wanted.length && everyone.at ? everyone.clients : shown;
  const matches = wanted.length ? searched.filter((client) => {
    const line = ["client", "address", "user", "profile"].map((field) => words(client[field])).join("\n").toLowerCase();
    return wanted.every((word) => line.includes(word));
  }) : searched;
  const rows = matches.slice(0, MOST_ROWS);
  const filter = JSON.stringify([wanted, searched === shown]);
  const empty = wanted.length ? "No client found." : "No client is logged on.";
  TABLES.clients.draw(rows, empty, filter !== filtered);
  filtered = filter;
  let told = "";
  if (wanted.length) {
    told = `${matches.length} of ${counted(searched.length, "client")} match` +
      `${rows.length < matches.length ? `; the first ${rows.length} are shown` : ""}.`;
    if (partial && searched === shown) {
      told += everyone.failed ? ` The other ${total - shown.length} could not be searched.` :
        ` Searching all ${total} \u2026`;
    }
  } else if (partial) {
    told = `The newest ${shown.length} of ${total} are shown. The filter looks through all of them.`;
  }
  set($("found"), "textContent", told);
}

function draw(found, running) {
  const first = overview === null;
  overview = found;
  const all = list(found.licenses), pending = list(found.pending), server = found.server || {};
  const vars = all.filter((license) => license.var === true);
  const maintenance = server.maintenance === true || running.maintenance === true;
  const draining = list(server.draining);
  const held = Number.isInteger(running.seats) ? running.seats : list(found.clients).length;
  banners([
    ...(maintenance ? [["warn", "Maintenance mode", `No new seats are given out; ${counted(held, "seat")} ` +
      `${held === 1 ? "is" : "are"} still held. Leaving it restarts the server.`]] : []),
    ...(draining.length ? [["warn", "Drain",
      `No new seats are given out of licenses that are about to leave: ${draining.map(words).join(", ")}.`]] : []),
    ...(pending.length ? [["warn", `${counted(pending.length, "request")} pending`,
      "Load each response on this host. Never make a second request for a license while one is pending."]] : []),
  ]);
  drawServer(server, running);
  drawTiles(all, pending);
  TABLES.licenses.draw(all.filter((license) => license.var !== true), "No licenses are installed.", first);
  TABLES.vars.draw(vars, "", first);
  set($("vars"), "hidden", !vars.length);
  TABLES.profiles.draw(list(found.profiles), "No profiles are defined.", first);
  drawClients();
  TABLES.pending.draw(pending, "No request is pending.", first);
  keyed($("users"), list(found.users), words, () => make("li"), (item, user) => set(item, "textContent", words(user)));
  set($("users"), "hidden", !list(found.users).length);
  set($("nobody"), "hidden", Boolean(list(found.users).length));
  for (const part of ["about", "console"]) set($(part), "hidden", false);
}

// ---- asking the server ----------------------------------------------------------------------------------------------

let timer = 0;
let asking = false;
let last = new Date(); // of the last answer; before the first, of the page's start
let digest; // of the server that this page came from

// What the server says is wrong, where, and what to do.
async function problem(answer) {
  try {
    const { what, where, todo } = (await answer.json()).problem;
    return `${words(what)} [${words(where)}] ${words(todo)} `;
  } catch {
    return "";
  }
}

async function ask(path) {
  const stop = new AbortController(), alarm = setTimeout(() => stop.abort(), PATIENCE);
  try {
    const answer = await fetch(path, { signal: stop.signal, cache: "no-store", redirect: "error" });
    if (!answer.ok) throw Object.assign(new Error("refused"), { status: answer.status, told: await problem(answer) });
    setClock(Date.parse(answer.headers.get("Date")));
    return await answer.json();
  } catch (error) {
    throw Object.assign(error, { asked: path });
  } finally {
    clearTimeout(alarm);
  }
}

async function search() {
  if (!$("filter").value.trim() || overview.clients_total <= list(overview.clients).length) return;
  if (Date.now() - everyone.at < SEARCH_EVERY) return;
  try {
    const clients = [];
    let next = "";
    for (let page = 0; next !== null && page < SEARCH_PAGES; page += 1) {
      const found = await ask(`v1/clients?limit=1000${next === "" ? "" : `&after=${encodeURIComponent(next)}`}`);
      clients.push(...list(found.clients));
      next = found.next === undefined ? null : found.next;
    }
    clients.sort((one, other) => (one.since < other.since ? 1 : one.since > other.since ? -1 : 0));
    everyone = { clients, at: Date.now(), failed: false };
  } catch {
    everyone.failed = true;
  }
  drawClients();
}

function say(kind, state, updated) {
  set($("state"), "className", `badge ${kind}`);
  set($("state"), "textContent", state);
  set($("updated"), "textContent", updated);
  set(document, "title", `${kind === "good" ? "" : `${state}: `}License server ${HOST}`);
  document.body.classList.toggle("stale", kind !== "good");
}

function sayUnanswered(error) {
  const what = error.status ? `Error ${error.status}` : error.asked ? "No answer" : "Unreadable answer";
  const head = `${what} since ${clock(last)}`;
  say("bad", head, "");
  const shown = overview ? "What is shown is as it was then." : "There is nothing to show yet.";
  const again = `The server is asked again every ${EVERY / 1000} seconds.`;
  banners([["bad", head, `${error.told || ""}${shown} ${again}`]]);
}

async function look() {
  clearTimeout(timer);
  if (asking) return;
  asking = true;
  try {
    const [found, running] = await Promise.all([ask("v1/overview"), ask("v1/status")]);
    if (Date.now() - lastDay.at >= HISTORY_EVERY) lastDay = { ...await ask("v1/history"), at: Date.now() };
    digest = digest === undefined ? running.digest : digest;
    if (running.digest !== digest) location.reload(); // upgraded, and this page with it
    last = new Date();
    draw(found, running);
    say("good", "Live", `updated ${clock(last)}`);
    await search();
  } catch (error) {
    sayUnanswered(error);
  } finally {
    asking = false;
    if (!document.hidden) timer = setTimeout(look, EVERY);
  }
}

document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
let typed = 0;
$("filter").addEventListener("input", () => {
  if (!overview) return;
  drawClients();
  clearTimeout(typed);
  typed = setTimeout(look, 300);
});
$("zone").textContent = Intl.DateTimeFormat().resolvedOptions().timeZone || "local";
look();
