// A socket.io-client that comes back with what it was asked to send while it was away.
//
// Started as: node node_offline.mjs <path of socket.io-client> <URL> <options as JSON>
// Connects, closes its transport as a network would, and emits `count` times `event` before it is
// back, by turns to the URL's namespace and to `others` (lists of namespace, event, payload). Writes
// lines [what, value]: "connect" and "disconnect" of the URL's namespace, "ending" of all, and
// "answers" when all acks have come.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [modulePath, url, options] = process.argv.slice(2);
const { io } = await import(pathToFileURL(modulePath).href);
const { count, event, payload, others = [], ...rest } = JSON.parse(options);

const say = (what, value) => process.stdout.write(`${JSON.stringify([what, value ?? null])}\n`);

const socket = io(url, { ...rest, reconnectionDelay: 10, reconnectionDelayMax: 10, forceNew: true });

const asked = [[socket, event, payload]];
for (const [namespace, ...command] of others) {
  const other = socket.io.socket(namespace, { auth: rest.auth });
  other.on("session.ending", (data) => say("ending", data));
  other.on("connect_error", (error) => say("connect_error", error.message));
  asked.push([other, ...command]);
}

socket.on("connect", () => say("connect"));
socket.on("session.ending", (data) => say("ending", data));
socket.on("disconnect", async (reason) => {
  say("disconnect", reason);
  // Until this turn is over the others do not know it.
  await null;
  const answers = [];
  for (let number = 0; number < count; number += 1) {
    const [each, name, data] = asked[number % asked.length];
    each.emit(name, data, (answer) => {
      answers.push([number, answer]);
      if (answers.length === count) say("answers", answers);
    });
  }
});
const connected = asked.map(([each]) => new Promise((resolve) => each.once("connect", resolve)));
Promise.all(connected).then(() => setTimeout(() => socket.io.engine.close(), 0));

createInterface({ input: process.stdin }).on("close", () => process.exit(0));
