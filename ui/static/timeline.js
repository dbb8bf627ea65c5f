// The journal as a timeline, the newest first.

import { element, moment } from "./dom.js";
import { clock, duration } from "./words.js";

const refused = new Set(["illegal", "stale", "guarded", "vetoed"]);

export const isRefused = (entry) => refused.has(entry.disposition);
export const isMove = (entry) => entry.disposition === "moved";

// filters are what the timeline can be narrowed to.
export const filters = {
  moves: { label: "Moves and refusals", keep: (entry) => isMove(entry) || isRefused(entry) },
  refused: { label: "Refusals", keep: isRefused },
  all: { label: "Everything", keep: () => true },
};

// lasted says for each move how long its state lasted, until the region's next move.
function lasted(entries) {
  const until = new Map(), lengths = new Map();
  for (const entry of [...entries].reverse()) {
    if (!isMove(entry)) continue;
    const next = until.get(entry.region);
    if (next) lengths.set(entry, new Date(next.time) - new Date(entry.again?.last ?? entry.time));
    until.set(entry.region, entry);
  }
  return lengths;
}

// timeline lists entries (oldest first) that the filter keeps.
export function timeline(entries, filter) {
  const lengths = lasted(entries);
  const list = element("ol", { class: "timeline" });
  for (const entry of [...entries].reverse().filter(filters[filter].keep)) list.append(row(entry, lengths.get(entry)));
  if (!list.childElementCount) list.append(element("li", { class: "empty" }, "Nothing of this kind is in the journal."));
  return list;
}

// again is how often what ends with an entry came again.
function again({ round, times, last, note }) {
  const what = round > 1 ? `these ${round} came` : "came";
  return element("span", { class: "again" }, `${what} ${times} times more, last at `, moment(last, clock), note ? `: ${note}` : "");
}

function row(entry, length) {
  const kind = isRefused(entry) ? "refused" : isMove(entry) ? "moved" : "quiet";
  const where = isMove(entry)
    ? [element("span", { class: "from" }, entry.from), " → ", element("b", {}, entry.to)]
    : [element("span", { class: "from" }, entry.from)];
  const details = [
    isMove(entry) || entry.disposition === "updated" ? undefined : element("em", { class: "disposition" }, isRefused(entry) ? `refused (${entry.disposition}${entry.guard ? `, ${entry.guard}` : ""})` : entry.disposition),
    entry.reason && element("span", {}, entry.reason),
    entry.actor && `by ${entry.actor === "person" ? "a user" : entry.actor === "timer" ? "a timer" : entry.actor === "process" ? "start or end of the proxy" : "the machine"}`,
    entry.raised_by && `after ${entry.raised_by}`,
    length !== undefined && `lasted ${duration(length)}`,
    entry.flow && element("span", { title: `flow ${entry.flow}` }, `flow ${entry.flow.slice(0, 8)}`),
    entry.note && element("span", { class: "note" }, entry.note),
    entry.again && again(entry.again),
  ].filter(Boolean);
  return element("li", { class: kind, "data-event": entry.event },
    moment(entry.time, clock),
    element("div", {},
      element("p", {}, element("span", { class: `tag ${entry.region}` }, entry.region), " ", element("code", {}, entry.event), " ", ...where),
      details.length ? element("p", { class: "details" }, ...details.flatMap((d, i) => (i ? [" · ", d] : [d]))) : undefined));
}
