// The commands of control.py, for the Node peers.
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

const EVENT_BYTES = 150;

const FILL_BYTES = 65_536;

const GROUP = 6;

export function groupOf(user) {
  return `group:${Math.floor((Number(user) - 1) / GROUP)}`;
}

export function news(prefixBytes, eventBytes = EVENT_BYTES) {
  const t = (Number(process.hrtime.bigint()) / 1e9).toFixed(6);
  const bare = JSON.stringify({ t, pad: "" });
  return { t, pad: "x".repeat(eventBytes - prefixBytes - bare.length) };
}

function stats(connections) {
  const { user, system } = process.cpuUsage();
  const pages = Number(readFileSync("/proc/self/statm", "ascii").split(" ")[1]);
  return { user_s: user / 1e6, system_s: system / 1e6, rss_kb: pages * 4, connections };
}

async function turns(emit, times) {
  for (let i = 0; i < times; i += 1) {
    emit(1);
    await new Promise(setImmediate);
  }
}

export function listen(port, { emit, emitTo, count }) {
  createServer((socket) => {
    createInterface(socket).on("line", async (line) => {
      const [command, argument] = line.split(" ");
      let answer = {};
      if (command === "emit") emit(Number(argument));
      else if (command === "turns") await turns(emit, Number(argument));
      else if (command === "one") emitTo("user:1", EVENT_BYTES);
      else if (command === "fill") emitTo("user:900000000", FILL_BYTES);
      else if (command === "collect") globalThis.gc?.();
      else answer = stats(count());
      socket.write(`${JSON.stringify(answer)}\n`);
    });
    socket.on("error", () => {});
  }).listen(port, "127.0.0.1");
}
