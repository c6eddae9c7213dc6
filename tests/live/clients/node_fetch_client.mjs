// BASE_URL, CALLS and SIZE -> that many calls through node's fetch; CLIENT_LOG says what each sent and, decoded, received.
// Every other call goes to the Gemini API, whose streams are JSON arrays here.

import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { argv, env } from "node:process";
import { setTimeout } from "node:timers/promises";
import * as zlib from "node:zlib";

const [baseUrl, calls, size] = [argv[2], Number(argv[3]), Number(argv[4])];
const codings = ["gzip", "br", "zstd", "deflate", "raw-deflate", "gzip,br", "none"];
const accepted = zlib.zstdDecompress ? "gzip, deflate, br, zstd" : "gzip, deflate, br"; // fetch takes zstd, but does not say so
const bash = { name: "bash", description: "Run a command." };
const schema = { type: "object", properties: { command: { type: "string" } } };

while (env.WAIT_FOR && !existsSync(env.WAIT_FOR)) await setTimeout(10);
writeFileSync(env.CLIENT_LOG, "");
for (let number = 0; number < calls; number++) {
  const [path, ask] = number % 4 < 2 ? anthropic(number) : gemini(number);
  const sent = Buffer.from(JSON.stringify(ask));
  const headers = {
    "content-type": "application/json",
    "accept-encoding": accepted,
    "x-want-coding": codings[number % 7],
    "x-api-key": env.ANTHROPIC_API_KEY,
  };
  const response = await fetch(baseUrl + path, { method: "POST", headers, body: sent });
  const received = [];
  for await (const part of response.body) received.push(part);
  const line = { request_body_hex: sent.toString("hex"), response_body_hex: Buffer.concat(received).toString("hex") };
  appendFileSync(env.CLIENT_LOG, JSON.stringify(line) + "\n");
}

function prompt(number) {
  return `Call ${number} é 模 🙂 ${["", "x".repeat(size), `size=${size}`][number % 3]}`;
}

function anthropic(number) {
  const messages = [{ role: "user", content: prompt(number) }];
  return ["/v1/messages", { model: "demo", max_tokens: 4096, stream: number % 2 === 1, messages, tools: [{ ...bash, input_schema: schema }] }];
}

function gemini(number) {
  const method = number % 2 === 1 ? "streamGenerateContent" : "generateContent";
  const contents = [{ role: "user", parts: [{ text: prompt(number) }] }];
  return [`/v1beta/models/demo:${method}`, { contents, tools: [{ functionDeclarations: [{ ...bash, parameters: schema }] }] }];
}
