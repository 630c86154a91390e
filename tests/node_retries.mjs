// A socket.io-client that sends each command again until it is answered (`retries`).
//
// Started as: node node_retries.mjs <path of socket.io-client> <URL> <options as JSON>
// Emits `payloads` as `event`, one after the other. Writes lines [what, value]: "connect",
// "disconnect", "event", "answer" for each ack, and "done" when all have come.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [modulePath, url, options] = process.argv.slice(2);
const { io } = await import(pathToFileURL(modulePath).href);
const { event, payloads, ...rest } = JSON.parse(options);

const say = (what, value) => process.stdout.write(`${JSON.stringify([what, value ?? null])}\n`);

const socket = io(url, {
  ...rest,
  retries: 100,
  ackTimeout: 20000,
  reconnectionDelay: 50,
  reconnectionDelayMax: 200,
  forceNew: true,
});

socket.on("connect", () => say("connect"));
socket.on("disconnect", (reason) => say("disconnect", reason));
socket.onAny((name, data) => say("event", [name, data]));

let answered = 0;
for (const payload of payloads) {
  socket.emit(event, payload, (error, answer) => {
    say("answer", error ? { error: { code: "no_answer" } } : answer);
    answered += 1;
    if (answered === payloads.length) say("done");
  });
}

createInterface({ input: process.stdin }).on("close", () => process.exit(0));
