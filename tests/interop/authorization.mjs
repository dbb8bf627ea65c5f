// An authorization server: oidc-provider, with its own pages for login and consent,
// registration, rotation, revocation and introspection. Arguments: the port, the
// resource that tokens are for, and how long access tokens live, in seconds.
import Provider from "oidc-provider";

const [port, resource, life] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  // The resource server that asks what a token is worth.
  clients: [
    { client_id: "resource", client_secret: "of-the-resource-server", redirect_uris: [], response_types: [], grant_types: [] },
  ],
  scopes: ["openid", "offline_access"],
  pkce: { required: () => true },
  rotateRefreshToken: true,
  features: {
    registration: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, indicator) => ({ scope: "mcp", audience: indicator, accessTokenTTL: Number(life), accessTokenFormat: "opaque" }),
      useGrantedResource: () => true,
    },
  },
});
for (const event of ["registration_create.success", "authorization_code.consumed", "grant.success", "grant.error", "grant.revoked", "refresh_token.consumed", "introspection.error", "revocation.error", "authorization.error", "server_error"]) {
  provider.on(event, (...given) => {
    const error = given.find((g) => g instanceof Error);
    console.log(event, given.find((g) => g?.oidc)?.oidc?.params?.grant_type ?? "", error ? `${error.message} ${error.error_description ?? ""}` : "");
  });
}
provider.listen(Number(port), "127.0.0.1", () => console.log("listening", resource));
