// Ory Hydra, whose program HYDRA names, behind one address: it takes everybody in who comes to
// its login and consent pages, and does what the tests ask of it under /control.
import { spawn } from "node:child_process";
import http from "node:http";
import { bearer, issuer, listening, options, port } from "./arguments.mjs";

const free = () => new Promise((resolve) => {
  const held = http.createServer().listen(0, "127.0.0.1", () => {
    const { port } = held.address();
    held.close(() => resolve(port));
  });
});
const ports = [await free(), await free()];
const [pub, admin] = ports.map((p) => `http://127.0.0.1:${p}`);
// The shell ends Hydra when this program has ended, however that came.
const hydra = spawn("/bin/sh", ["-c", '"$0" serve all --dev 2>&1 & cat >/dev/null; kill -9 $!', process.env.HYDRA], {
  stdio: ["pipe", "pipe", "inherit"],
  env: {
    DSN: "memory", PATH: process.env.PATH, HOME: process.env.HOME, SQA_OPT_OUT: "true",
    SERVE_PUBLIC_HOST: "127.0.0.1", SERVE_PUBLIC_PORT: String(ports[0]), SERVE_ADMIN_HOST: "127.0.0.1", SERVE_ADMIN_PORT: String(ports[1]),
    URLS_SELF_ISSUER: issuer, URLS_SELF_PUBLIC: issuer, URLS_LOGIN: `${issuer}/login`, URLS_CONSENT: `${issuer}/consent`,
    SECRETS_SYSTEM: "a-secret-of-this-test-alone", TTL_ACCESS_TOKEN: `${options.life}s`,
    OIDC_DYNAMIC_CLIENT_REGISTRATION_ENABLED: "true", WEBFINGER_OIDC_DISCOVERY_CLIENT_REGISTRATION_URL: `${issuer}/oauth2/register`, LOG_LEVEL: "warn",
  },
});
hydra.on("exit", (code) => process.exit(code ?? 1));
hydra.stdout.pipe(process.stdout);

const ask = async (method, path, body) => {
  const response = await fetch(admin + path, { method, headers: { "Content-Type": "application/json" }, body: body && JSON.stringify(body) });
  return response.status === 204 ? {} : response.json();
};

async function accept(kind, url) {
  const challenge = url.searchParams.get(`${kind}_challenge`);
  const path = `/admin/oauth2/auth/requests/${kind}`;
  const asked = await ask("GET", `${path}?${kind}_challenge=${challenge}`);
  const body = kind === "login" ? { subject: "user" } : { grant_scope: asked.requested_scope, grant_access_token_audience: asked.requested_access_token_audience };
  return (await ask("PUT", `${path}/accept?${kind}_challenge=${challenge}`, body)).redirect_to;
}

async function active(token) {
  const response = await fetch(`${admin}/admin/oauth2/introspect`, { method: "POST", body: new URLSearchParams({ token }) });
  return (await response.json()).active;
}

const own = {
  "GET /login": async (url) => ({ status: 302, headers: { Location: await accept("login", url) } }),
  "GET /consent": async (url) => ({ status: 302, headers: { Location: await accept("consent", url) } }),
  "GET /control/active": async (_, request) => ({ status: (await active(bearer(request.headers.authorization))) ? 200 : 401 }),
  "POST /control/forget": async () => {
    for (const client of await ask("GET", "/admin/clients")) await ask("DELETE", `/admin/clients/${client.client_id}`);
    return { status: 204 };
  },
  "POST /control/revoke": async () => {
    await ask("DELETE", "/admin/oauth2/auth/sessions/consent?subject=user&all=true");
    return { status: 204 };
  },
};

function pass(request, response) {
  const onward = http.request(pub + request.url, { method: request.method, headers: request.headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on("error", () => response.writeHead(502).end());
  request.pipe(onward);
}

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, issuer);
  const handle = own[`${request.method} ${url.pathname}`];
  if (!handle) return pass(request, response);
  try {
    const { status, headers } = await handle(url, request);
    response.writeHead(status, headers).end();
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
});

for (let tries = 0; tries < 150; tries++) {
  if (await fetch(`${pub}/health/ready`).then((r) => r.ok, () => false)) break;
  await new Promise((resolve) => setTimeout(resolve, 100));
}
server.listen(port, "127.0.0.1", () => listening());
