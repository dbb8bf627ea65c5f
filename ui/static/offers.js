// The buttons. What a user can do, and what each of it does, is the explanation's
// to say; only a button's few words are here.

import { region } from "./words.js";

const labels = {
  login: ({ open, status }) => (open ? "Show the login page" : status.token ? "Log in again" : "Log in"),
  cancel: () => "Give the login up",
  logout: () => "Log out",
  connect: ({ connection }) => (connection === "Disconnected" ? "Connect" : "Try now"),
  disconnect: () => "Disconnect",
};

// offers lists the requests of an explanation, the one that helps most first.
export function offers(status, explanation) {
  const open = region(status, "credential").tags.includes("login-open");
  const now = { status, open, connection: region(status, "connection").state };
  const all = explanation.can.filter(({ request }) => labels[request]).map(({ request, why }, i) => ({ request, label: labels[request](now), why, main: i === 0 && status.phase !== "Connected" }));
  if (now.connection === "Connected") all.unshift({ request: "reconnect", label: "Reconnect", why: "closes the connection and opens another", main: false });
  return all;
}
