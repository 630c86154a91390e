// A socket.io-client that tests drive: arguments in, one JSON line for everything that happens.
//
// Started as: node node_client.mjs <path of socket.io-client> <URL> <options as JSON>
// Reads lines [event, payload], emits them with an ack; writes lines [what, value].

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [modulePath, url, options] = process.argv.slice(2);
const { io } = await import(pathToFileURL(modulePath).href);

const say = (what, value) => process.stdout.write(`${JSON.stringify([what, value ?? null])}\n`);

const socket = io(url, { ...JSON.parse(options), reconnection: false, forceNew: true });

socket.io.on("open", () => {
  say("open", socket.io.engine.transport.name);
  socket.io.engine.on("upgrade", (transport) => say("upgrade", transport.name));
});
socket.on("connect", () => say("connect"));
socket.on("connect_error", (error) => {
  say("connect_error", { message: error.message, data: error.data });
});
socket.on("disconnect", (reason) => say("disconnect", reason));
socket.onAny((name, data) => say("event", [name, data]));

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [name, payload] = JSON.parse(line);
    socket.emit(name, payload, (answer) => say("ack", answer));
  })
  .on("close", () => process.exit(0));
