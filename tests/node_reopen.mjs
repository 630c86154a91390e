// A socket.io-client that closes a namespace and opens it again before it has heard of it.
//
// Started as: node node_reopen.mjs <path of socket.io-client> <URL> <options as JSON>
// Connects to the URL's namespace, and in each of `rounds` opens `other`, waits for `waits[round]`
// ms (0: not at all), closes it and opens it again; a round ends when both namespaces have answered
// a command. Writes lines [what, value]: "round" with its number, then "end".

import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const [modulePath, url, options] = process.argv.slice(2);
const { io } = await import(pathToFileURL(modulePath).href);
const { other, waits, event, otherEvent, ...rest } = JSON.parse(options);

const say = (what, value) => process.stdout.write(`${JSON.stringify([what, value ?? null])}\n`);

const socket = io(url, { ...rest, reconnectionDelay: 10, reconnectionDelayMax: 10, forceNew: true });
// What was sent on a connection that ends is not answered; it is sent again on the next one.
const ask = async (asked, name) => {
  for (;;) {
    const answer = await asked.timeout(1000).emitWithAck(name, {}).catch(() => null);
    if (answer !== null) return answer;
  }
};

createInterface({ input: process.stdin }).on("close", () => process.exit(0));
await ask(socket, event);
for (const [round, ms] of waits.entries()) {
  const reopened = socket.io.socket(other, { auth: rest.auth });
  if (ms > 0) await wait(ms);
  reopened.disconnect();
  reopened.connect();
  const answers = await Promise.all([ask(reopened, otherEvent), ask(socket, event)]);
  if (!answers.every((answer) => "data" in answer)) say("bad", answers);
  reopened.disconnect();
  say("round", round);
}
say("end");
