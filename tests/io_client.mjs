// A Socket.IO client on Node, told what to do by a test: one JSON array a line comes in, what
// happened goes out as [what, ...details]. The first argument is the module of the client.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [module, packages] = process.argv.slice(2);
if (!globalThis.WebSocket) {
  // Node 20 has none of its own; the stock client brings one.
  globalThis.WebSocket = createRequire(pathToFileURL(`${packages}/`))("ws");
}
const { io } = await import(pathToFileURL(module));
const sockets = new Map();
let token = null;

function tell(...what) {
  console.log(JSON.stringify(what));
}

function shown(error) {
  return { message: error.message, data: error.data ?? null };
}

const orders = {
  /**
   * Make a socket; `auth: "function"` asks for the token each time, `upgrades` tells of the change
   * from long-polling to WebSocket.
   */
  open(name, uri, options) {
    if (options.auth === "function") {
      options.auth = (give) => {
        tell(name, "auth");
        give({ token });
      };
    }
    const socket = io(uri, { transports: ["websocket"], ...options });
    sockets.set(name, socket);
    socket.on("connect", () => tell(name, "connect", { recovered: Boolean(socket.recovered) }));
    socket.on("disconnect", (reason) => tell(name, "disconnect", reason, socket.active));
    socket.on("connect_error", (error) =>
      tell(name, "connect_error", shown(error), socket.active),
    );
    socket.onAny((event, ...args) => {
      const answer = args.at(-1);
      if (typeof answer === "function") answer("heard", event);
      tell(name, "event", event, ...args.filter((arg) => typeof arg !== "function"));
    });
    if (options.upgrades) {
      socket.io.on("open", () => {
        socket.io.engine.on("upgrade", (transport) => tell(name, "upgrade", transport.name));
      });
    }
    socket.onAnyOutgoing((event, ...args) => tell(name, "outgoing", event, ...args));
    for (const event of ["open", "error", "close", "ping", "reconnect_attempt", "reconnect", "reconnect_failed"]) {
      socket.io.on(event, () => options.manager && tell("manager", event));
    }
  },
  token(value) {
    token = value;
  },
  connect: (name) => void sockets.get(name).connect(),
  disconnect: (name) => void sockets.get(name).disconnect(),
  emit: (name, ...args) => void sockets.get(name).emit(...args),
  volatile: (name, ...args) => void sockets.get(name).volatile.emit(...args),
  /** Emit with a callback at the end. */
  call(name, ...args) {
    sockets.get(name).emit(...args, (...answer) => tell(name, "answer", ...answer));
  },
  async ack(name, timeout, ...args) {
    const socket = sockets.get(name);
    const caller = timeout === null ? socket : socket.timeout(timeout);
    const outcome = caller.emitWithAck(...args);
    tell(
      name,
      ...(await outcome.then(
        (answer) => ["ack", answer],
        (error) => ["failed", error.message],
      )),
    );
  },
  state(name) {
    const { connected, active, id, recovered } = sockets.get(name);
    tell(name, "state", { connected, active, hasId: Boolean(id), recovered: Boolean(recovered) });
  },
  transport: (name) => tell(name, "transport", sockets.get(name).io.engine.transport.name),
  /** Close the connection from this side, as a client does that hears nothing any more. */
  drop: (name) => void sockets.get(name).io.engine.close(),
  same: (one, other) => tell("same", sockets.get(one).io === sockets.get(other).io),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [order, ...details] = JSON.parse(line);
  try {
    orders[order](...details);
  } catch (error) {
    tell("thrown", error.message);
  }
}
process.exit();
