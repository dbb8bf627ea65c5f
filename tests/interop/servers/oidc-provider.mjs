// oidc-provider with its own pages for login and consent. Options: `demandPAR`,
// `demandNonce` (DPoP), `methods` (how clients may authenticate), `device`.
import Provider from "oidc-provider";
import { bearer, issuer, listening, options, port } from "./arguments.mjs";

const clients = new Set();
const grants = new Set();
const provider = new Provider(issuer, {
  scopes: ["openid", "offline_access"],
  clientAuthMethods: options.methods ?? ["none"],
  pkce: { required: () => true },
  rotateRefreshToken: true,
  features: {
    registration: { enabled: true },
    revocation: { enabled: true },
    deviceFlow: { enabled: options.device ?? false },
    pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: options.demandPAR ?? false },
    dPoP: { enabled: options.demandNonce ?? false, nonceSecret: Buffer.alloc(32, 1), requireNonce: () => options.demandNonce ?? false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, indicator) => ({ scope: "mcp", audience: indicator, accessTokenTTL: options.life, accessTokenFormat: "opaque" }),
      useGrantedResource: () => true,
    },
  },
});
provider.on("registration_create.success", (_, client) => clients.add(client.clientId));
provider.on("grant.success", (ctx) => grants.add(ctx.oidc.entities.Grant?.jti));
for (const event of ["authorization_code.consumed", "grant.success", "refresh_token.consumed", "grant.error", "revocation.error", "authorization.error", "server_error", "pushed_authorization_request.success"]) {
  provider.on(event, (...given) => {
    const error = given.find((g) => g instanceof Error);
    console.log(event, given.find((g) => g?.oidc)?.oidc?.params?.grant_type ?? "", error ? `${error.message} ${error.error_description ?? ""}` : "");
  });
}

const control = {
  async active(ctx) {
    const value = bearer(ctx.get("authorization"));
    const token = (await provider.AccessToken.find(value)) ?? (await provider.RefreshToken.find(value));
    return token?.isValid ? 200 : 401;
  },
  async forget() {
    for (const id of clients) await provider.Client.adapter.destroy(id);
    return 204;
  },
  async revoke() {
    for (const id of grants) {
      await provider.AccessToken.revokeByGrantId(id);
      await provider.RefreshToken.revokeByGrantId(id);
    }
    return 204;
  },
};
provider.use(async (ctx, next) => {
  const verb = /^\/control\/(\w+)$/.exec(ctx.path)?.[1];
  if (verb === undefined) return next();
  ctx.status = await control[verb](ctx);
});
provider.listen(port, "127.0.0.1", () => listening());
