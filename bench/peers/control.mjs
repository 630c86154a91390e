// The commands of control.py, for the Node peers.
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

const EVENT_BYTES = 150;

export function news(prefixBytes) {
  const t = (Number(process.hrtime.bigint()) / 1e9).toFixed(6);
  const bare = JSON.stringify({ t, pad: "" });
  return { t, pad: "x".repeat(EVENT_BYTES - prefixBytes - bare.length) };
}

function stats(connections) {
  globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  const pages = Number(readFileSync("/proc/self/statm", "ascii").split(" ")[1]);
  return { user_s: user / 1e6, system_s: system / 1e6, rss_kb: pages * 4, connections };
}

export function listen(port, { emit, emitOne, count }) {
  createServer((socket) => {
    createInterface(socket).on("line", (line) => {
      const [command, argument] = line.split(" ");
      let answer = {};
      if (command === "emit") emit(Number(argument));
      else if (command === "one") emitOne();
      else answer = stats(count());
      socket.write(`${JSON.stringify(answer)}\n`);
    });
    socket.on("error", () => {});
  }).listen(port, "127.0.0.1");
}
