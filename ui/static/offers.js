// What a person can do now. What is legal is the graph's to say: an offer is made
// where the state accepts its event.

import { region } from "./words.js";

const open = new Set(["Discovering", "Registering", "AwaitingBrowser", "AwaitingDevice", "ExchangingCode"]);

// offers lists the wishes in their order; the main one is what helps most.
export function offers(status) {
  const [connection, credential] = [region(status, "connection"), region(status, "credential")];
  const accepts = (r, event) => r.accepted.includes(event);
  const waiting = open.has(credential.state);
  const all = [];
  const offer = (wish, label, why, main = false) => all.push({ wish, label, why, main });
  if (waiting) offer("login", "Show the login page", "the login that is open; asking again begins no other", true);
  else if (accepts(credential, "LoginRequested")) {
    const needed = ["LoginRequired", "LoggedOut"].includes(credential.state);
    if (needed || credential.state === "Failed" || status.token) offer("login", needed ? "Log in" : "Log in anew", "opens the authorization server's page", needed);
  }
  if (waiting && (accepts(credential, "LoginCancelled") || accepts(credential, "LoginAbandoned"))) offer("cancel", "Give the login up", "a token that still works is kept");
  if (accepts(credential, "RetryRequested")) offer("retry", "Try now", "does not wait for the next attempt", true);
  else if (["BackingOff", "Failed"].includes(connection.state)) offer("connect", "Try now", "does not wait for the next attempt", true);
  if (connection.state === "Disconnected") offer("connect", "Connect", "opens the connection and keeps it up", true);
  if (connection.state === "Connected") offer("reconnect", "Reconnect", "closes the connection and opens another");
  if (connection.state !== "Disconnected" && accepts(connection, "Disconnect")) offer("disconnect", "Disconnect", "closes the connection and keeps the token");
  if (status.token && accepts(credential, "LogoutRequested")) offer("logout", "Log out", "erases and revokes the token; holds until somebody logs in");
  return all;
}
