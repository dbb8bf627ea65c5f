// The worker: an authorization server with a page of consent, and what the test asks of
// it under /control.
import { AuthorizationError, OAuthAuthorizationServer } from "./workers-oauth-provider.js";

let server;
const serverOf = (env) =>
  (server ??= new OAuthAuthorizationServer({
    issuer: env.ISSUER,
    resources: [env.RESOURCE],
    scopesSupported: ["mcp"],
    clientRegistrationEndpoint: "/oauth/register",
    disallowPublicClientRegistration: env.SECRETS,
  }));

async function authorize(request, env) {
  const oauth = serverOf(env).getOAuthApi(env);
  if (request.method === "POST") {
    const handle = (await request.clone().formData()).get("handle");
    const approved = await oauth.approveConsent(request, handle);
    const { redirectTo } = await oauth.completeAuthorization({
      request: approved.request,
      userId: "user",
      metadata: {},
      scope: approved.request.scope,
      props: { userId: "user" },
    });
    const headers = new Headers(approved.headers);
    headers.set("location", redirectTo);
    return new Response(null, { status: 302, headers });
  }
  try {
    const consent = await oauth.beginConsent(await oauth.parseAuthRequest(request));
    const headers = new Headers(consent.headers);
    headers.set("content-type", "text/html");
    return new Response(`<form action="${new URL(request.url).pathname}" method="post"><input name="handle" value="${consent.handle}"></form>`, { headers });
  } catch (error) {
    if (!(error instanceof AuthorizationError)) throw error;
    if (error.redirectTo) return Response.redirect(error.redirectTo);
    return new Response(error.message, { status: 400 });
  }
}

const control = {
  async active(request, env) {
    const token = (request.headers.get("authorization") ?? "").replace(/^Bearer /i, "");
    const refresh = new URL(request.url).searchParams.get("kind") === "refresh";
    // A refresh token names its grant, and lives as long as that does.
    const grants = async () => (await serverOf(env).getOAuthApi(env).listUserGrants("user")).items;
    const valid = refresh ? (await grants()).some(({ id }) => token.split(":")[1] === id) : await serverOf(env).validateToken(env.RESOURCE, token, env);
    return new Response(null, { status: valid ? 200 : 401 });
  },
  async forget(_, env) {
    const oauth = serverOf(env).getOAuthApi(env);
    for (const client of (await oauth.listClients()).items) await oauth.deleteClient(client.clientId);
    return new Response(null, { status: 204 });
  },
  async revoke(_, env) {
    const oauth = serverOf(env).getOAuthApi(env);
    for (const grant of (await oauth.listUserGrants("user")).items) await oauth.revokeGrant(grant.id, "user");
    return new Response(null, { status: 204 });
  },
};

export default {
  async fetch(request, env, ctx) {
    const path = new URL(request.url).pathname;
    const verb = /^\/control\/(\w+)$/.exec(path)?.[1];
    if (verb) return control[verb](request, env);
    if (path === "/authorize") return authorize(request, env);
    const response = await serverOf(env).fetch(request, env, ctx);
    if (path !== "/oauth/token" || !response.ok || response.status === 204) return response;
    // The library's tokens live a minute or longer; its clients are told the life of the test.
    return Response.json({ ...(await response.json()), expires_in: env.LIFE }, response);
  },
};
