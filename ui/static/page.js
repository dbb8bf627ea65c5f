// The page: reads the admin interface, follows its events, and shows one upstream.

import { element, moment, patch, tick } from "./dom.js";
import { light, picture } from "./graph.js";
import { filters, isMove, timeline } from "./timeline.js";
import { api, Refused, request } from "./api.js";
import { offers } from "./offers.js";
import { duration, kindOf, needsPerson, nextTimer, region, relative, sinceOf } from "./words.js";

const kept = 300; // entries of one journal
const walked = 6; // moves that are lit as the path

const all = new Map(); // statuses, by name
const explanations = new Map(); // of those that were looked at, by name
const journals = new Map(); // entries, oldest first, by name
let selected = decodeURIComponent(location.hash.slice(1));
let filter = "moves";
let notice; // what the last request came to
let panel; // the elements of the shown upstream

const byId = (id) => document.getElementById(id);

// Reading.

async function readAll() {
  const statuses = await api("upstreams");
  all.clear();
  for (const status of statuses) all.set(status.name, status);
  if (!all.has(selected)) selected = statuses.find(needsPerson)?.name ?? statuses[0]?.name ?? "";
  if (selected) await Promise.all([readJournal(selected), readExplanation(selected)]);
  show();
}

async function readExplanation(name) {
  explanations.set(name, await api(`upstreams/${encodeURIComponent(name)}/explain`));
}

// readJournal puts what was read and what came as an event together: the journal is
// written a little later than it is told.
async function readJournal(name) {
  const before = journals.get(name) ?? [];
  journals.set(name, before); // events that come meanwhile go there
  const entries = new Map();
  for (const entry of await api(`upstreams/${encodeURIComponent(name)}/journal?limit=${kept}`)) entries.set(key(entry), entry);
  for (const entry of before) entries.set(key(entry), entry);
  journals.set(name, [...entries.values()].slice(-kept));
}

const key = (entry) => [entry.time, entry.region, entry.event, entry.disposition, entry.sequence].join();

// soon reads the statuses of upstreams that something happened to, together.
const stirred = new Set();
function soon(name) {
  if (stirred.size === 0) setTimeout(async () => {
    const names = [...stirred];
    stirred.clear();
    try {
      await Promise.all(names.flatMap((n) => [
        api(`upstreams/${encodeURIComponent(n)}`).then((status) => all.set(n, status)),
        n === selected && readExplanation(n),
      ]));
      show();
    } catch {
      readAll().catch(lost); // the set of upstreams has changed, or the session is over
    }
  }, 60);
  stirred.add(name);
}

function follow() {
  const events = new EventSource("/ui/api/v1/events");
  events.addEventListener("open", () => { live("live"); readAll().catch(lost); });
  events.addEventListener("transition", (message) => {
    const entry = JSON.parse(message.data);
    const journal = journals.get(entry.machine);
    if (journal) {
      journal.push(entry);
      if (journal.length > kept) journal.shift();
    }
    soon(entry.machine);
  });
  events.addEventListener("gap", () => readAll().catch(lost));
  events.addEventListener("error", () => {
    live(events.readyState === EventSource.CLOSED ? "over" : "reconnecting");
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, 3000);
  });
}

function lost(error) {
  live(error instanceof Refused && error.status === 401 ? "over" : "reconnecting");
}

function live(state) {
  const words = { live: "live", reconnecting: "the proxy does not answer; trying again", over: "this session is over; run: mcpproxy ui" };
  byId("live").textContent = words[state];
  byId("live").dataset.state = state;
}

// Showing.

function show() {
  patch(byId("upstreams"), [...all.values()].map(card));
  const status = all.get(selected);
  document.title = status ? `${status.name}: ${status.phase} – mcpproxy` : "mcpproxy";
  if (!status) {
    panel = undefined;
    byId("detail").replaceChildren(element("p", { class: "empty" }, "No upstream is configured. Add one with: mcpproxy upstream add NAME URL"));
    return;
  }
  if (panel?.name !== selected) open(status);
  fill(status);
}

function card(status) {
  const timer = nextTimer(status);
  return element("li", { "data-key": status.name }, element("button", {
    class: `card ${kindOf(status)}${needsPerson(status) ? " person" : ""}`, "aria-current": status.name === selected ? "true" : false,
    onclick: () => choose(status.name),
  },
    element("span", { class: "name" }, status.name),
    element("span", { class: "phase" }, status.phase),
    element("span", { class: "when" }, "since ", moment(sinceOf(status), lasting)),
    timer && element("span", { class: "when" }, `${timer.event} `, moment(timer.at, relative))));
}

// choose shows an upstream at once, with what is known of it: what is pressed next is
// its button, and never one of the upstream that was shown before.
async function choose(name) {
  selected = name;
  notice = undefined;
  history.replaceState(null, "", `#${encodeURIComponent(name)}`);
  show();
  byId("detail").focus({ preventScroll: true });
  await Promise.all([journals.has(name) || readJournal(name), readExplanation(name)]).catch(lost);
  show();
}

// open lays the panel of an upstream out; fill puts in what is known.
function open(status) {
  panel = {
    name: status.name,
    head: element("section", { class: "head" }), notice: element("div", { class: "notice", role: "status" }),
    graphs: element("section", { class: "graphs", "aria-label": "State graph" }),
    facts: element("section", { class: "facts", "aria-label": "Facts" }), journal: element("div", {}), pictures: new Map(),
  };
  const choice = element("select", { "aria-label": "What the journal shows", onchange: (event) => { filter = event.target.value; fill(all.get(selected)); } },
    ...Object.entries(filters).map(([value, { label }]) => element("option", { value, selected: value === filter }, label)));
  for (const { region: name } of status.regions) {
    const frame = element("figure", { class: `graph-${name}` }, element("figcaption", {}, name), element("div", { class: "scroll" }), element("p", { class: "accepted" }));
    panel.graphs.append(frame);
    const mine = panel;
    picture(name).then((svg) => {
      frame.querySelector(".scroll").append(svg);
      mine.pictures.set(name, { svg, frame });
      if (panel === mine) fill(all.get(selected));
    });
  }
  byId("detail").replaceChildren(panel.head, panel.notice, panel.graphs,
    element("div", { class: "columns" },
      element("section", { class: "journal", "aria-label": "Journal" }, element("h3", {}, "Journal"), choice, panel.journal), panel.facts));
}

function fill(status) {
  if (!status || panel?.name !== status.name) return;
  patch(panel.head, head(status));
  note();
  patch(panel.facts, facts(status));
  const journal = journals.get(status.name) ?? [];
  panel.journal.replaceChildren(timeline(journal, filter));
  for (const [name, { svg, frame }] of panel.pictures) {
    const now = region(status, name);
    light(svg, now, journal.filter((e) => isMove(e) && e.region === name).slice(-walked));
    patch(frame.querySelector(".accepted"), "Accepted now: ", ...now.accepted.flatMap((event) => [element("code", {}, event), " "]));
  }
}

function head(status) {
  const explanation = explanations.get(status.name);
  const title = element("div", { class: "title" }, element("h2", {}, status.name), element("span", { class: `badge ${kindOf(status)}` }, status.phase),
    element("span", { class: "when" }, "since ", moment(sinceOf(status), lasting)));
  if (!explanation) return [title];
  const offered = offers(status, explanation);
  return [
    title,
    ...words(explanation),
    element("div", { class: "requests", "data-key": "requests" }, ...offered.map(({ request: id, label, main, why }) =>
      element("button", { class: main ? "main" : "", "data-key": id, title: why, onclick: () => act(status.name, id) }, label))),
    element("p", { class: "why" }, ...offered.flatMap(({ label, why }, i) => [i ? "; " : "", element("b", {}, label), `: ${why}`])),
  ];
}

// lasting says how long something is so, in whole seconds.
const lasting = (at) => duration(Math.max(1000, Date.now() - new Date(at)));

const whens = { at: "", by: "at the latest ", from: "not before " };

// words shows an explanation; the sentences are those of statectl explain.
function words(e) {
  const said = [element("p", { class: "doc" }, e.doing), element("p", { class: "reason" }, e.why)];
  for (const { text, at, region: name } of e.failures) said.push(element("p", { class: "failure" }, `Last failure (${name}, `, moment(at, relative), `): ${text}`));
  if (e.said) {
    said.push(element("details", { "data-key": "said" }, element("summary", {}, "What its process said"),
      element("pre", { class: "said" }, e.said.map(({ stream, text }) => `${stream}: ${text}`).join("\n"))));
  }
  if (e.refused) said.push(element("p", { class: "next" }, "Refused ", moment(e.refused.at, relative), ": ", element("code", {}, e.refused.event), ` (${e.refused.why})`));
  const next = e.next.flatMap(({ at, when, text }, i) => [i ? "; " : "Next: ", whens[when], moment(at, relative), `, ${text}`]);
  said.push(element("p", { class: "next" }, ...next, next.length ? ". " : "", `${e.then} ${e.calls}`));
  if (e.mend) said.push(element("p", { class: "mend" }, e.mend));
  if (e.can.length) {
    said.push(element("details", { "data-key": "terminal" }, element("summary", {}, "The same in a terminal"),
      element("dl", {}, ...e.can.flatMap((a) => [element("dt", {}, element("code", {}, a.command)), element("dd", {}, a.why)]))));
  }
  return said;
}

function facts(status) {
  const rows = [];
  const row = (name, ...value) => rows.push(element("dt", {}, name), element("dd", {}, ...value));
  if (status.url) row("address", status.url);
  row("transport", status.transport);
  row("offers", `${status.tools} tools, ${status.resources} resources, ${status.prompts} prompts`);
  for (const r of status.regions) row(r.region, element("b", {}, r.state), ` (${r.kind}${r.effect ? `: ${r.effect}` : ""}), `, r.doc);
  const { token, flow } = status;
  if (token) {
    row("token", `number ${token.generation}, ${token.fingerprint}`, token.has_refresh_token ? ", with a refresh token" : ", without a refresh token");
    if (token.expires_at) row("expires", moment(token.expires_at, relative));
    if (token.scopes.length) row("scopes", token.scopes.join(" "));
    if (token.withheld_scopes) row("not granted", token.withheld_scopes.join(" "));
    if (token.issuer) row("issuer", token.issuer);
    row("type", token.token_type, token.stated_token_type ? ` (called "${token.stated_token_type}" by its server)` : "", token.bound_to ? `, bound to the key ${token.bound_to}` : "", token.grant ? `, by ${token.grant}` : "");
    if (token.client) row("client", `${token.client.id} (${[token.client.registration, `authentication ${token.client.authentication}`].filter(Boolean).join(", ")})`);
  }
  if (flow) row("login", `flow ${flow.id}`, flow.shown_text ? `, ${flow.shown_text}` : "", ...(flow.deadline ? [", until ", moment(flow.deadline, relative)] : []));
  return [element("h3", {}, "Facts"), element("dl", {}, ...rows)];
}

// Asking.

// note shows what the last request came to; what is in it may be clicked, so that it is
// not put there twice.
function note() {
  if (panel && panel.notice.firstChild !== (notice ?? null)) panel.notice.replaceChildren(...(notice ? [notice] : []));
}

function say(kind, ...words) {
  notice = element("p", { class: kind }, ...words);
  note();
}

async function act(name, id) {
  try {
    if (id === "login") return await login(name);
    if (id === "reconnect") await request(name, "disconnect");
    const outcome = await request(name, id === "reconnect" ? "connect" : id);
    if (outcome?.reason) say("calm", `${outcome.disposition}: ${outcome.reason}.`);
    else say("calm");
  } catch (error) {
    say("refused", error.message);
  }
}

// login follows a login from its page's address to its outcome.
async function login(name) {
  say("calm", "Looking for the login page.");
  let shown = "";
  for await (const report of await request(name, "login", { browser: "none" })) {
    if (report.url && report.url !== shown) {
      shown = report.url;
      window.open(report.url, "_blank", "noopener");
      say("calm", "The login page was opened in a new tab. If it was not: ", element("a", { href: report.url, target: "_blank", rel: "noopener noreferrer", id: "login-page" }, "open the login page"), ". It stays open until ", new Date(report.deadline).toLocaleTimeString(), ".");
    }
    if (report.done) say(report.error ? "refused" : "good", report.error || `Logged in to ${name}.`);
  }
}

byId("leave").addEventListener("click", async () => {
  await fetch("/ui/leave", { method: "POST", headers: { "X-Mcpproxy-Csrf": document.querySelector("meta[name=csrf-token]").content } });
  location.reload();
});
window.addEventListener("hashchange", () => choose(decodeURIComponent(location.hash.slice(1))));
setInterval(() => { if (!document.hidden) tick(); }, 1000);
follow();
