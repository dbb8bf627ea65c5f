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

// kindOf is the kind of state that the phase is shown with.
export function kindOf(status) {
  const [connection, credential] = [region(status, "connection"), region(status, "credential")];
  if (status.phase === credential.state && status.phase !== connection.state) return credential.kind;
  return connection.kind;
}

// sinceOf is when the phase began.
export function sinceOf(status) {
  const [connection, credential] = [region(status, "connection"), region(status, "credential")];
  return status.phase === connection.state ? connection.since : credential.since;
}

// needsPerson reports whether only a person can move the upstream on.
export const needsPerson = (status) => ["LoginRequired", "LoggedOut", "AwaitingBrowser", "AwaitingDevice", "Failed"].includes(status.phase);
