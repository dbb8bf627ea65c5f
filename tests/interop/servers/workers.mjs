// Cloudflare's workers-oauth-provider in the runtime of Workers, as remote servers run
// it. Options: `secrets` (public clients are refused).
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Miniflare } from "miniflare";
import { issuer, listening, options, port } from "./arguments.mjs";

const library = fileURLToPath(import.meta.resolve("@cloudflare/workers-oauth-provider"));
const workers = new Miniflare({
  port,
  host: "127.0.0.1",
  cf: false,
  compatibilityDate: "2026-01-01",
  kvNamespaces: ["OAUTH_KV"],
  bindings: { ISSUER: issuer, RESOURCE: options.resource, LIFE: options.life, SECRETS: options.secrets ?? false },
  modules: [
    { type: "ESModule", path: "worker.mjs", contents: await readFile(new URL("./worker.mjs", import.meta.url), "utf8") },
    { type: "ESModule", path: "workers-oauth-provider.js", contents: await readFile(library, "utf8") },
  ],
});
await workers.ready;
listening();
