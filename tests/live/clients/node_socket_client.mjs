// BASE_URL, CALLS and SIZE -> that many messages over each of the two WebSockets of node's own; CLIENT_LOG has each message.

import { existsSync, writeFileSync } from "node:fs";
import { argv, env } from "node:process";
import { setTimeout } from "node:timers/promises";

const [baseUrl, calls, size] = [argv[2], Number(argv[3]), Number(argv[4])];
const lines = [];

while (env.WAIT_FOR && !existsSync(env.WAIT_FOR)) await setTimeout(10);
await talk("/echo", calls, (number) => [`text ${number} é 模 🙂`, Buffer.from([number, 0, 255]), "x".repeat(size)][number % 3], () => true);
await talk("/v1/responses", calls, create, (message) => message.includes('"type":"response.completed"'));
writeFileSync(env.CLIENT_LOG, lines.map((line) => JSON.stringify(line) + "\n").join(""));

function create(number) {
  const extra = ["", "x".repeat(size), `size=${size}`][number % 3];
  return JSON.stringify({ type: "response.create", model: "demo", input: `Call ${number} é 模 🙂 ${extra}` });
}

function talk(path, count, message, answered) {
  let [said, heard] = [0, 0];
  const socket = new WebSocket(baseUrl.replace("http", "ws") + path);
  socket.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    const say = () => {
      if (said === count) return socket.close(1000);
      const data = message(said++);
      log(path, "out", data, said);
      socket.send(data);
    };
    socket.onopen = say;
    socket.onmessage = ({ data }) => {
      log(path, "in", data, ++heard);
      if (answered(data)) say();
    };
    socket.onerror = reject;
    socket.onclose = resolve;
  });
}

function log(websocket, direction, data, n) {
  const kind = typeof data === "string" ? "text" : "binary";
  lines.push({ websocket, direction, kind, data_hex: Buffer.from(data).toString("hex"), n });
}
