// A plain WebSocket of the package `ws` that tests drive: one JSON line for everything that happens.
//
// Started as: node node_websocket.mjs <path of ws> <URL> <options as JSON>
// Reads lines and sends each as a text frame; writes lines [what, value].

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [modulePath, url, options] = process.argv.slice(2);
const { default: WebSocket } = await import(pathToFileURL(modulePath).href);

const say = (what, value) => process.stdout.write(`${JSON.stringify([what, value ?? null])}\n`);

// As the documents call it: what a browser takes for protocols are options here.
const ws = new WebSocket(url, JSON.parse(options));

ws.onopen = () => say("open");
ws.onmessage = ({ data }) => say("message", JSON.parse(data));
ws.onerror = ({ message }) => say("error", message);
ws.onclose = ({ code, reason }) => say("close", [code, reason]);

createInterface({ input: process.stdin })
  .on("line", (line) => ws.send(line))
  .on("close", () => process.exit(0));
