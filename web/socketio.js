/** A Socket.IO namespace behind the face every door has: open(), close(), send(). */

const ACK_TIMEOUT_MS = 10_000;

let shared = null;

/** All namespaces of the page travel over one connection, as Socket.IO means them to. */
function manager() {
  shared ??= new window.io.Manager(location.origin, { path: "/socket.io/", autoConnect: false });
  return shared;
}

export class SocketIoConnection {
  #door;
  #session;
  #tell;
  #log;
  #socket = null;

  /** `tell(state, detail)` hears every change of state, `log(direction, name, payload)` every frame. */
  constructor(door, { session, tell, log }) {
    this.#door = door;
    this.#session = session;
    this.#tell = tell;
    this.#log = log;
  }

  open() {
    if (!window.io) {
      this.#tell("refused", "socket.io-client did not load");
      return;
    }
    this.#socket ??= this.#prepare();
    this.#tell("connecting");
    this.#socket.connect();
  }

  close() {
    const wasConnected = this.#socket?.connected;
    this.#socket?.disconnect();
    if (!wasConnected) this.#tell("closed", "by you");
  }

  /** Emit an event. The answer, or its absence, appears in the log; resolves when it is there. */
  async send({ event, args }) {
    const started = performance.now();
    this.#log("out", event, args.length > 1 ? args : args[0]);
    try {
      const answer = await this.#socket.timeout(ACK_TIMEOUT_MS).emitWithAck(event, ...args);
      const elapsed = Math.round(performance.now() - started);
      this.#log("in", `ack ${event}`, answer);
      return { ok: !answer?.error, text: answer?.error?.message ?? `Answered in ${elapsed} ms` };
    } catch {
      this.#log("note", `no ack ${event}`, `after ${ACK_TIMEOUT_MS / 1000} s or the connection ended`);
      return { ok: false, text: "No answer came" };
    }
  }

  #prepare() {
    const socket = manager().socket(this.#door.namespace, {
      auth: (give) => this.#session.token().then((token) => give({ token })),
    });
    socket.on("connect", () => {
      this.#log("note", "connected", { sid: socket.id });
      this.#tell("connected", socket.recovered ? "nothing missed" : "");
    });
    socket.on("connect_error", (error) => {
      if (socket.active) {
        // The transport failed; the manager keeps trying.
        this.#tell("reconnecting", error.message);
        return;
      }
      this.#log("note", "refused", { message: error.message, data: error.data });
      this.#tell("refused", [error.data?.code, error.message].filter(Boolean).join(": "));
    });
    socket.on("disconnect", (reason) => {
      this.#log("note", "disconnected", reason);
      if (socket.active) this.#tell("reconnecting", reason);
      else this.#tell("closed", reason === "io client disconnect" ? "by you" : "by the server");
    });
    socket.onAny((event, ...args) => this.#log("in", event, args.length > 1 ? args : args[0]));
    manager().on("reconnect_attempt", (attempt) => {
      if (socket.active && !socket.connected) this.#tell("reconnecting", `attempt ${attempt}`);
    });
    return socket;
  }
}
