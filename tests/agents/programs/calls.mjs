// BASE_URL, LANES, CALLS, SIZE -> as many calls at once as there are lanes, in each lane that many, one after the other, through
// fetch of node, bun or deno; or with IMPIT, the path of that package's native code, through it. Deno opens a connection for each lane.

const { argv, env } = (await import("node:process")).default;
const [base, lanes, calls, size] = [argv[2], ...argv.slice(3, 6).map(Number)];
const codings = ["gzip", "br", "zstd", "deflate", "none"];
const accepted = env.ACCEPT ?? "gzip, deflate, br, zstd";

async function lane(number) {
  const ask = await asker();
  for (let call = 0; call < calls; call++) {
    const n = number * calls + call;
    const content = `lane ${number} call ${call} é 模 🙂 ${["", "x".repeat(size), `size=${size}`][n % 3]}`;
    const body = JSON.stringify({ model: "demo", stream: n % 2 === 1, messages: [{ role: "user", content }] });
    const headers = { "content-type": "application/json", authorization: "Bearer dummy", "accept-encoding": accepted };
    const response = await ask(`${base}/v1/chat/completions`, {
      method: "POST",
      headers: { ...headers, "x-want-coding": codings[n % 5] },
      body,
    });
    if (response.status !== 200) throw new Error(`status ${response.status}`);
    await response.text();
  }
}

async function asker() {
  if (env.IMPIT) {
    const { Impit } = (await import("node:module")).createRequire(import.meta.url)(env.IMPIT);
    const impit = new Impit({ ignoreTlsErrors: true });
    return (url, { method, headers, body }) =>
      impit.fetch(url, { method, headers: Object.entries(headers), body: new TextEncoder().encode(body) });
  }
  if (globalThis.Deno) {
    const client = Deno.createHttpClient({ caCerts: [Deno.readTextFileSync(env.SSL_CERT_FILE)] });
    return (url, options) => fetch(url, { ...options, client });
  }
  return fetch;
}

await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
