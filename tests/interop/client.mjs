// Lists what a server offers and calls a tool, with the TypeScript SDK's client;
// prints one JSON document. Arguments: a URL, or a command with its arguments.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ListRootsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const [target, ...args] = process.argv.slice(2);
const transport = /^https?:/.test(target)
  ? new StreamableHTTPClientTransport(new URL(target))
  : new StdioClientTransport({ command: target, args, stderr: "ignore" });
const client = new Client(
  { name: "interop", version: "1" },
  { capabilities: { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } } },
);
client.setRequestHandler(ListRootsRequestSchema, async () => ({ roots: [] }));
await client.connect(transport);

async function all(list, member) {
  const items = [];
  let cursor;
  do {
    const page = await list(cursor === undefined ? {} : { cursor });
    items.push(...page[member]);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

const result = {
  tools: await all((p) => client.listTools(p), "tools"),
  resources: await all((p) => client.listResources(p), "resources"),
  templates: await all((p) => client.listResourceTemplates(p), "resourceTemplates"),
  prompts: await all((p) => client.listPrompts(p), "prompts"),
};
result.echo = await client.callTool({ name: "echo", arguments: { message: "hello" } });
result.resource = Object.keys((await client.readResource({ uri: result.resources[0].uri })).contents[0]).sort();
result.prompt = await client.getPrompt({ name: "simple-prompt" });
console.log(JSON.stringify(result));
await client.close();
process.exit(0);
