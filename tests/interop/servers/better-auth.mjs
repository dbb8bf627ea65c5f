// better-auth with its oauth-provider plugin, which leaves the pages for login and
// consent to the program around it.
import { createHash } from "node:crypto";
import { oauthProvider, oauthProviderAuthServerMetadata } from "@better-auth/oauth-provider";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import express from "express";
import { bearer, issuer, listening, options, port } from "./arguments.mjs";

const tables = ["user", "session", "account", "verification", "oauthClient", "oauthAccessToken", "oauthRefreshToken", "oauthConsent", "oauthResource", "oauthClientResource", "oauthClientAssertion", "rateLimit"];
const data = Object.fromEntries(tables.map((table) => [table, []]));
const auth = betterAuth({
  baseURL: issuer,
  secret: "for a test on loopback alone, and long enough",
  trustedOrigins: [issuer],
  database: memoryAdapter(data),
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  plugins: [
    oauthProvider({
      loginPage: "/login",
      consentPage: "/consent",
      scopes: ["offline_access", "mcp"],
      resources: [{ identifier: options.resource, accessTokenTtl: options.life }],
      enforcePerClientResources: false,
      accessTokenExpiresIn: options.life,
      allowDynamicClientRegistration: true,
      allowUnauthenticatedClientRegistration: true,
      disableJwtPlugin: true,
    }),
  ],
});
const account = { email: "user@example.com", password: "a password of the test", name: "User" };
await auth.api.signUpEmail({ body: account });

const app = express();
const page = (action, query) => `<form action="${action}" method="post"><input name="query" value="${query.replaceAll("&", "&amp;")}"></form>`;
const queryOf = (req) => req.originalUrl.split("?")[1] ?? "";
app.get("/login", (req, res) => res.send(page("/login", queryOf(req))));
app.post("/login", express.urlencoded(), async (req, res) => {
  const signedIn = await auth.api.signInEmail({ body: account, asResponse: true });
  for (const cookie of signedIn.headers.getSetCookie()) res.append("Set-Cookie", cookie);
  res.redirect(`/api/auth/oauth2/authorize?${req.body.query}`);
});
app.get("/consent", (req, res) => res.send(page("/consent", queryOf(req))));
app.post("/consent", express.urlencoded(), async (req, res) => {
  const headers = { "content-type": "application/json", cookie: req.headers.cookie ?? "", origin: issuer };
  const body = JSON.stringify({ accept: true, oauth_query: req.body.query });
  const answer = await auth.handler(new Request(`${issuer}/api/auth/oauth2/consent`, { method: "POST", headers, body }));
  const { url, redirect_uri } = await answer.json();
  res.redirect(url ?? redirect_uri);
});

app.get("/control/active", (req, res) => {
  const hash = createHash("sha256").update(bearer(req.headers.authorization)).digest("base64url");
  const found = [...data.oauthAccessToken, ...data.oauthRefreshToken].find(({ token }) => token === hash);
  const active = found !== undefined && !found.revoked && found.expiresAt > new Date();
  res.sendStatus(active ? 200 : 401);
});
app.post("/control/forget", (_, res) => {
  data.oauthClient.length = 0;
  res.sendStatus(204);
});
app.post("/control/revoke", (_, res) => {
  data.oauthAccessToken.length = data.oauthRefreshToken.length = 0;
  res.sendStatus(204);
});

const metadata = oauthProviderAuthServerMetadata(auth);
app.get("/.well-known/oauth-authorization-server/api/auth", async (_, res) => {
  const answer = await metadata(new Request(issuer));
  res.type("json").send(await answer.text());
});
app.all("/api/auth/{*path}", toNodeHandler(auth));
app.listen(port, "127.0.0.1", () => listening(`${issuer}/api/auth`));
