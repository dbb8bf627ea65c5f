// Words for times, durations, and what an upstream is doing.

const seconds = (ms) => Math.max(0, Math.round(ms / 1000));

// duration says a length of time in at most two units.
export function duration(ms) {
  const s = seconds(ms);
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (s < 60) return `${s} s`;
  if (s < 3600) return s % 60 && s < 600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.round(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export const clock = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

// relative says a moment as seen from now.
export function relative(at) {
  const ms = new Date(at) - Date.now();
  if (ms >= 0) return seconds(ms) === 0 ? "now" : `in ${duration(ms)}`;
  return seconds(-ms) === 0 ? "just now" : `${duration(-ms)} ago`;
}

// region finds one region of a status.
export const region = (status, name) => status.regions.find((r) => r.region === name);

// nextTimer is the earliest timer of an upstream that is still ahead.
export function nextTimer(status) {
  const all = status.regions.flatMap((r) => r.timers);
  return all.sort((a, b) => new Date(a.at) - new Date(b.at))[0];
}

// leading is the region whose state is the phase.
const leading = (status) => status.regions.find(({ state }) => state === status.phase) ?? region(status, "connection");

// kindOf is the kind of state that the phase is shown with.
export const kindOf = (status) => leading(status).kind;

// sinceOf is when the phase began.
export const sinceOf = (status) => leading(status).since;

// needsPerson reports whether there is something that a user can do so that the upstream goes on.
export const needsPerson = (status) => leading(status).tags.includes("awaits-user");
