// BASE_URL, CALLS and SIZE -> that many Anthropic calls through node's https; CLIENT_LOG says what each sent and received.

import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { argv, env } from "node:process";
import { setTimeout } from "node:timers/promises";

const [baseUrl, calls, size] = [argv[2], Number(argv[3]), Number(argv[4])];
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const bash = {
  name: "bash",
  description: "Run a command.",
  input_schema: { type: "object", properties: { command: { type: "string" } } },
};

while (env.WAIT_FOR && !existsSync(env.WAIT_FOR)) await setTimeout(10);
writeFileSync(env.CLIENT_LOG, "");
for (let number = 0; number < calls; number++) {
  const sent = body(number);
  const received = await post(sent, { chunked: number % 3 === 1 });
  const line = { request_body_hex: sent.toString("hex"), response_body_hex: received.toString("hex") };
  appendFileSync(env.CLIENT_LOG, JSON.stringify(line) + "\n");
}
agent.destroy();

function body(number) {
  const extra = ["", "x".repeat(size), `size=${size}`][number % 3];
  const ask = {
    model: "demo",
    max_tokens: 4096,
    stream: number % 2 === 1,
    messages: [{ role: "user", content: `Call ${number} é 模 🙂 ${extra}` }],
  };
  if (Math.floor(number / 2) % 2 === 0) ask.tools = [bash];
  return Buffer.from(JSON.stringify(ask));
}

function post(sent, { chunked }) {
  const headers = { "content-type": "application/json", "x-api-key": env.ANTHROPIC_API_KEY, "anthropic-version": "2023-06-01" };
  if (!chunked) headers["content-length"] = sent.length;
  return new Promise((resolve, reject) => {
    const outgoing = request(`${baseUrl}/v1/messages`, { method: "POST", agent, headers }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve(Buffer.concat(parts)));
      response.on("error", reject);
    });
    outgoing.on("error", reject);
    // In two writes, since node adds a content-length to a body that is written at once.
    outgoing.write(sent.subarray(0, 1000));
    outgoing.end(sent.subarray(1000));
  });
}
