// BASE_URL, CALLS and SIZE -> that many Anthropic calls, all at once over one HTTP/2 connection of node's; CLIENT_LOG says what
// each sent and, decoded, received.

import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { connect } from "node:http2";
import { argv, env } from "node:process";
import { setTimeout } from "node:timers/promises";
import * as zlib from "node:zlib";

const [baseUrl, calls, size] = [argv[2], Number(argv[3]), Number(argv[4])];
const codings = ["gzip", "br", "zstd", "deflate", "raw-deflate", "gzip,br", "none"];
const bash = { name: "bash", input_schema: { type: "object", properties: { command: { type: "string" } } } };
const decoders = {
  gzip: zlib.gunzipSync,
  br: zlib.brotliDecompressSync,
  zstd: zlib.zstdDecompressSync, // node 22.15 and later
  deflate: (coded) => ((coded[0] & 15) === 8 ? zlib.inflateSync(coded) : zlib.inflateRawSync(coded)),
};
const accepted = Object.keys(decoders).filter((token) => decoders[token]).join(", ");

while (env.WAIT_FOR && !existsSync(env.WAIT_FOR)) await setTimeout(10);
writeFileSync(env.CLIENT_LOG, "");
const session = connect(baseUrl);
await Promise.all(Array.from({ length: calls }, (_, number) => call(number)));
session.close();

async function call(number) {
  const sent = body(number);
  const received = await post(number, sent);
  const line = { request_body_hex: sent.toString("hex"), response_body_hex: received.toString("hex") };
  appendFileSync(env.CLIENT_LOG, JSON.stringify(line) + "\n");
}

function body(number) {
  const extra = ["", "x".repeat(size), `size=${size}`][number % 3];
  const messages = [{ role: "user", content: `Call ${number} é 模 🙂 ${extra}` }];
  const ask = { model: "demo", max_tokens: 4096, stream: number % 2 === 1, messages };
  if (Math.floor(number / 2) % 2 === 0) ask.tools = [bash];
  return Buffer.from(JSON.stringify(ask));
}

function post(number, sent) {
  const headers = {
    ":method": "POST",
    ":path": "/v1/messages",
    "content-type": "application/json",
    "accept-encoding": accepted,
    "x-want-coding": codings[number % 7],
    "x-api-key": env.ANTHROPIC_API_KEY,
  };
  return new Promise((resolve, reject) => {
    const stream = session.request(headers);
    const parts = [];
    let coding = "";
    stream.on("response", (response) => (coding = response["content-encoding"] ?? ""));
    stream.on("data", (part) => parts.push(part));
    stream.on("end", () => resolve(decoded(Buffer.concat(parts), coding)));
    stream.on("error", reject);
    stream.end(sent);
  });
}

function decoded(coded, coding) {
  for (const token of coding.split(", ").filter(Boolean).reverse()) coded = decoders[token](coded);
  return coded;
}
