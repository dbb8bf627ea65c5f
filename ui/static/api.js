// The admin interface, as this page may use it.

const token = document.querySelector("meta[name=csrf-token]").content;

// Refused is an answer that says no, in words for a user.
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function checked(response) {
  if (response.ok) return response;
  const text = await response.text();
  let said = text;
  try {
    const problem = JSON.parse(text);
    said = problem.detail ?? problem.error ?? text;
  } catch { /* it is text */ }
  throw new Refused(response.status, said || response.statusText);
}

// api reads a document.
export async function api(path) {
  return (await checked(await fetch(`/ui/api/v1/${path}`))).json();
}

// request asks for something. The answer is a document, or for a login the lines of its
// progress.
export async function request(name, what, form = {}) {
  const response = await checked(await fetch(`/ui/api/v1/upstreams/${encodeURIComponent(name)}/${what}`, {
    method: "POST", headers: { "X-Mcpproxy-Csrf": token }, body: new URLSearchParams(form),
  }));
  if (response.headers.get("Content-Type")?.startsWith("application/x-ndjson")) return lines(response.body);
  return response.json();
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) if (part) yield JSON.parse(part);
  }
}
