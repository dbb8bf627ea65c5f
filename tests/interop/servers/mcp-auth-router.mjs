// The TypeScript SDK's mcpAuthRouter over a provider in memory whose refresh tokens
// rotate; a token that is used twice ends its family.
import { randomUUID } from "node:crypto";
import express from "express";
import { InvalidGrantError, InvalidTokenError } from "@modelcontextprotocol/sdk/server/auth/errors.js";
import { mcpAuthRouter } from "@modelcontextprotocol/sdk/server/auth/router.js";
import { bearer, issuer, listening, options, port } from "./arguments.mjs";

const clients = new Map();
const codes = new Map();
const access = new Map();
const refresh = new Map(); // to its family; a spent one stays, to be recognised
const ended = new Set(); // families

function issue(family, { clientId, scopes, resource }) {
  const [token, next] = [randomUUID(), randomUUID()];
  access.set(token, { family, clientId, scopes, resource, expiresAt: Date.now() / 1000 + options.life });
  refresh.set(next, { family, clientId, scopes, resource, spent: false });
  return { access_token: token, refresh_token: next, token_type: "bearer", expires_in: options.life, scope: scopes.join(" ") };
}

const live = (entry) => entry !== undefined && !ended.has(entry.family) && !entry.spent && !(entry.expiresAt < Date.now() / 1000);

const provider = {
  clientsStore: {
    getClient: (id) => clients.get(id),
    registerClient: (client) => clients.set(client.client_id, client).get(client.client_id),
  },
  async authorize(client, params, res) {
    const code = randomUUID();
    codes.set(code, { clientId: client.client_id, challenge: params.codeChallenge, scopes: params.scopes ?? [], resource: params.resource?.href });
    const target = new URL(params.redirectUri);
    target.searchParams.set("code", code);
    if (params.state !== undefined) target.searchParams.set("state", params.state);
    res.send(`<form action="/consent" method="post"><input name="target" value="${target.href.replaceAll("&", "&amp;")}"></form>`);
  },
  async challengeForAuthorizationCode(_, code) {
    if (!codes.has(code)) throw new InvalidGrantError("no such code");
    return codes.get(code).challenge;
  },
  async exchangeAuthorizationCode(client, code) {
    const grant = codes.get(code);
    codes.delete(code);
    if (grant?.clientId !== client.client_id) throw new InvalidGrantError("no such code");
    return issue(randomUUID(), grant);
  },
  async exchangeRefreshToken(client, token) {
    const grant = refresh.get(token);
    if (grant?.spent) ended.add(grant.family);
    if (!live(grant) || grant.clientId !== client.client_id) throw new InvalidGrantError("no such refresh token");
    grant.spent = true;
    return issue(grant.family, grant);
  },
  async verifyAccessToken(token) {
    if (!live(access.get(token))) throw new InvalidTokenError("no such token");
    return { token, ...access.get(token) };
  },
  async revokeToken(_, { token }) {
    const family = (access.get(token) ?? refresh.get(token))?.family;
    if (family !== undefined) ended.add(family);
  },
};

const app = express();
app.use(mcpAuthRouter({ provider, issuerUrl: new URL(issuer), scopesSupported: ["mcp"] }));
app.post("/consent", express.urlencoded(), (req, res) => res.redirect(req.body.target));
app.get("/control/active", (req, res) => {
  const token = bearer(req.headers.authorization);
  res.sendStatus(live(access.get(token)) || live(refresh.get(token)) ? 200 : 401);
});
app.post("/control/forget", (_, res) => {
  clients.clear();
  res.sendStatus(204);
});
app.post("/control/revoke", (_, res) => {
  for (const { family } of access.values()) ended.add(family);
  res.sendStatus(204);
});
app.listen(port, "127.0.0.1", () => listening(`${issuer}/`));
