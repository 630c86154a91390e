/**
 * A Socket.IO client over WebSocket: Engine.IO 4, Socket.IO protocol 5, text packets.
 *
 * `io(url, options)` and what it returns have the names and the behaviour of `socket.io-client`, as
 * far as this page uses it, so that either can stand in the other's place. Binary packets and HTTP
 * polling are left out. https://socket.io/docs/v4/socket-io-protocol/
 */

const OPEN = "0";
const CLOSE = "1";
const PING = "2";
const PONG = "3";
const MESSAGE = "4";

const CONNECT = 0;
const DISCONNECT = 1;
const EVENT = 2;
const ACK = 3;
const CONNECT_ERROR = 4;

/** Events of the socket itself; emitted, they would look like events of the connection. */
const RESERVED = new Set([
  ...["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"],
]);
/** Packets are kept while away, but not without end: past this the oldest are dropped. */
const SEND_BUFFER_MAX = 1000;

export class Emitter {
  #listeners = new Map();

  on(event, listener) {
    if (!this.#listeners.has(event)) this.#listeners.set(event, []);
    this.#listeners.get(event).push({ listener, once: false });
    return this;
  }

  once(event, listener) {
    if (!this.#listeners.has(event)) this.#listeners.set(event, []);
    this.#listeners.get(event).push({ listener, once: true });
    return this;
  }

  /** Remove one listener, all of an event, or all. */
  off(event, listener) {
    if (event === undefined) this.#listeners.clear();
    else if (listener === undefined) this.#listeners.delete(event);
    else {
      const rest = this.listenersOf(event).filter((entry) => entry.listener !== listener);
      this.#listeners.set(event, rest);
    }
    return this;
  }

  listeners(event) {
    return this.listenersOf(event).map(({ listener }) => listener);
  }

  hasListeners(event) {
    return this.listenersOf(event).length > 0;
  }

  listenersOf(event) {
    return this.#listeners.get(event) ?? [];
  }

  /** Call the listeners; one that throws does not keep the others from hearing. */
  emitReserved(event, ...args) {
    for (const entry of [...this.listenersOf(event)]) {
      if (entry.once) this.off(event, entry.listener);
      shielded(() => entry.listener(...args));
    }
    return this;
  }
}

/** Run `call`, and report what it throws where uncaught errors are reported. */
function shielded(call) {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** One connection to a server, and its coming back; namespaces are sockets on it. */
export class Manager extends Emitter {
  #uri;
  #sockets = new Map();
  #transport = null;
  #state = "closed";
  #attempts = 0;
  #reconnecting = false;
  #stopped = false;
  #timers = new Map();
  #lastHeard = 0;
  #silenceMs = 0;
  #wake = () => this.#checkSilence();

  constructor(uri, options = {}) {
    super();
    this.opts = {
      path: "/socket.io",
      reconnection: true,
      reconnectionAttempts: Infinity,
      reconnectionDelay: 1000,
      reconnectionDelayMax: 5000,
      randomizationFactor: 0.5,
      timeout: 20_000,
      autoConnect: true,
      ...options,
    };
    this.#uri = String(uri);
    if (this.opts.autoConnect) this.open();
  }

  reconnection(value) {
    if (value === undefined) return this.opts.reconnection;
    this.opts.reconnection = Boolean(value);
    if (!value) this.#stopped = true;
    return this;
  }

  reconnectionDelay(value) {
    if (value === undefined) return this.opts.reconnectionDelay;
    this.opts.reconnectionDelay = value;
    return this;
  }

  reconnectionDelayMax(value) {
    if (value === undefined) return this.opts.reconnectionDelayMax;
    this.opts.reconnectionDelayMax = value;
    return this;
  }

  get _readyState() {
    return this.#state;
  }

  get _reconnecting() {
    return this.#reconnecting;
  }

  /** The socket of a namespace; the same one each time. */
  socket(namespace, options = {}) {
    let socket = this.#sockets.get(namespace);
    if (!socket) {
      socket = new Socket(this, namespace, options);
      this.#sockets.set(namespace, socket);
      if (this.opts.autoConnect) socket.connect();
    } else if (this.opts.autoConnect && !socket.active) {
      socket.connect();
    }
    return socket;
  }

  /** Connect; `done` is called with the error, or with nothing. */
  open(done) {
    if (this.#state !== "closed") return this;
    this.#stopped = false;
    this.#state = "opening";
    const transport = new WebSocket(this.#address());
    this.#transport = transport;
    const fail = (error) => {
      if (this.#transport !== transport) return;
      this.#drop();
      this.emitReserved("error", error);
      if (done) done(error);
      else this.#maybeReconnectOnOpen();
    };
    if (this.opts.timeout !== false) {
      this.#later("open", this.opts.timeout, () => {
        fail(new Error("timeout"));
      });
    }
    transport.onmessage = ({ data }) => {
      if (this.#transport !== transport || typeof data !== "string") return;
      if (this.#state === "opening") {
        if (data[0] !== OPEN) return fail(new Error("parse error"));
        this.#opened(data.slice(1));
        done?.();
      } else {
        this.#hear(data);
      }
    };
    transport.onerror = () => {
      if (this.#state === "opening") fail(new Error("websocket error"));
    };
    transport.onclose = ({ code, reason }) => {
      if (this.#transport !== transport) return;
      if (this.#state === "opening") fail(new Error("websocket error"));
      else this.#closed("transport close", { code, reason });
    };
    return this;
  }

  connect(done) {
    return this.open(done);
  }

  /** Send a packet to the server, if there is a connection. */
  _packet(packet) {
    if (this.#state === "open") this.#transport.send(MESSAGE + packet);
  }

  /** A socket has left; the connection of none is closed. */
  _destroy() {
    for (const socket of this.#sockets.values()) if (socket.active) return;
    this._close();
  }

  _close() {
    this.#stopped = true;
    this.#reconnecting = false;
    this.#attempts = 0;
    this.#cancel("reconnect");
    if (this.#state === "open") this.#closed("forced close");
    else this.#drop();
  }

  disconnect() {
    this._close();
  }

  #address() {
    const url = new URL(this.#uri, globalThis.location?.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.pathname = this.opts.path.replace(/\/?$/, "/");
    url.hash = "";
    for (const [name, value] of Object.entries(this.opts.query ?? {})) {
      url.searchParams.set(name, value);
    }
    url.searchParams.set("EIO", "4");
    url.searchParams.set("transport", "websocket");
    return url;
  }

  #opened(text) {
    const { sid, pingInterval, pingTimeout } = JSON.parse(text);
    const transport = this.#transport;
    this.#cancel("open");
    this.engine = { id: sid, close: () => transport === this.#transport && this.#closed("forced close") };
    this.#state = "open";
    this.#silenceMs = pingInterval + pingTimeout;
    this.#heard();
    const target = globalThis.document;
    target?.addEventListener("visibilitychange", this.#wake);
    globalThis.addEventListener?.("online", this.#wake);
    this.emitReserved("open");
    if (this.#reconnecting) {
      const attempts = this.#attempts;
      this.#reconnecting = false;
      this.#attempts = 0;
      this.emitReserved("reconnect", attempts);
    }
  }

  #hear(data) {
    this.#heard();
    const type = data[0];
    if (type === PING) {
      this.#transport.send(PONG + data.slice(1));
      this.emitReserved("ping");
    } else if (type === CLOSE) {
      this.#closed("transport close");
    } else if (type === MESSAGE) {
      const packet = decode(data.slice(1));
      if (!packet) return this.#closed("parse error");
      this.emitReserved("packet", packet);
      this.#sockets.get(packet.namespace)?._packetIn(packet);
    }
  }

  /** The server pings; its silence means that the connection is dead, whatever the socket says. */
  #heard() {
    this.#lastHeard = Date.now();
    this.#later("silence", this.#silenceMs, () => this.#checkSilence());
  }

  /** Timers stand still in sleep, the clock does not: check again on waking. */
  #checkSilence() {
    if (this.#state !== "open") return;
    const left = this.#lastHeard + this.#silenceMs - Date.now();
    if (left <= 0) this.#closed("ping timeout");
    else this.#later("silence", left, () => this.#checkSilence());
  }

  #closed(reason, details) {
    this.#drop();
    this.emitReserved("close", reason, details);
    if (this.opts.reconnection && !this.#stopped) this.#reconnect();
  }

  /** Release the transport; what it still sends is ignored. */
  #drop() {
    const transport = this.#transport;
    this.#transport = null;
    this.#state = "closed";
    this.engine = undefined;
    this.#cancel("open");
    this.#cancel("silence");
    globalThis.document?.removeEventListener("visibilitychange", this.#wake);
    globalThis.removeEventListener?.("online", this.#wake);
    if (transport) {
      transport.onmessage = transport.onclose = null;
      // A socket that is closed before it is open says so as an error.
      transport.onerror = () => {};
      transport.close();
    }
  }

  #maybeReconnectOnOpen() {
    if (!this.#reconnecting && this.opts.reconnection && this.#attempts === 0) this.#reconnect();
  }

  #reconnect() {
    if (this.#reconnecting || this.#stopped) return;
    if (this.#attempts >= this.opts.reconnectionAttempts) {
      this.#attempts = 0;
      this.emitReserved("reconnect_failed");
      return;
    }
    this.#reconnecting = true;
    const delay = this.#delay();
    this.#attempts += 1;
    this.emitReserved("reconnect_wait", delay);
    this.#later("reconnect", delay, () => this.#attempt());
  }

  #attempt() {
    this.#cancel("reconnect");
    if (this.#stopped) return;
    this.emitReserved("reconnect_attempt", this.#attempts);
    if (this.#stopped) return;
    this.open((error) => {
      if (!error) return;
      this.#reconnecting = false;
      this.#reconnect();
      this.emitReserved("reconnect_error", error);
    });
  }

  /** Twice as long each time up to the maximum, spread so that clients do not come back at once. */
  #delay() {
    const { reconnectionDelay, reconnectionDelayMax, randomizationFactor } = this.opts;
    const base = Math.min(reconnectionDelay * 2 ** this.#attempts, reconnectionDelayMax);
    const spread = base * randomizationFactor * (Math.random() * 2 - 1);
    return Math.min(base + spread, reconnectionDelayMax);
  }

  #later(name, ms, call) {
    this.#cancel(name);
    const timer = setTimeout(() => {
      this.#timers.delete(name);
      call();
    }, ms);
    this.#timers.set(name, timer);
  }

  #cancel(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}

/** A client in one namespace. */
export class Socket extends Emitter {
  connected = false;
  recovered = false;
  id = undefined;

  #namespace;
  #subscribed = false;
  #sendBuffer = [];
  #receiveBuffer = [];
  #acks = new Map();
  #nextAck = 0;
  #flags = {};
  #any = [];
  #anyOutgoing = [];
  #session = null;
  #offset = undefined;

  constructor(manager, namespace, options) {
    super();
    this.io = manager;
    this.nsp = namespace;
    this.#namespace = namespace;
    this.auth = options.auth;
    manager.on("open", () => this.#subscribed && this.#hello());
    manager.on("error", (error) => {
      if (this.#subscribed && !this.connected) this.emitReserved("connect_error", error);
    });
    // A socket that has left has said so already.
    manager.on("close", (reason, details) => this.#subscribed && this.#lost(reason, details));
  }

  get disconnected() {
    return !this.connected;
  }

  /** Whether the socket is connected or will be by itself. */
  get active() {
    return this.#subscribed;
  }

  connect() {
    if (this.connected || (this.#subscribed && this.io._readyState === "open")) return this;
    this.#subscribed = true;
    if (this.io._readyState === "open") this.#hello();
    else if (!this.io._reconnecting) this.io.open();
    return this;
  }

  open() {
    return this.connect();
  }

  disconnect() {
    const wasConnected = this.connected;
    if (wasConnected) this.#write(DISCONNECT);
    this.#subscribed = false;
    this.io._destroy();
    if (wasConnected) this.#lost("io client disconnect");
    return this;
  }

  close() {
    return this.disconnect();
  }

  /** Emit an event; a function at the end is called with the answer. */
  emit(event, ...args) {
    if (RESERVED.has(event)) throw new Error(`"${event}" is a reserved event name`);
    const flags = this.#flags;
    this.#flags = {};
    const packet = { data: [event, ...args], id: undefined };
    if (typeof args.at(-1) === "function") {
      packet.id = this.#nextAck++;
      this.#awaitAck(packet, packet.data.pop(), flags.timeout);
    }
    if (this.connected) this.#sendEvent(packet);
    else if (!flags.volatile) {
      this.#sendBuffer.push(packet);
      if (this.#sendBuffer.length > SEND_BUFFER_MAX) this.#sendBuffer.shift();
    }
    return this;
  }

  send(...args) {
    return this.emit("message", ...args);
  }

  /** Emit and resolve to the answer; with `timeout` it rejects when none came in time. */
  emitWithAck(event, ...args) {
    return new Promise((resolve, reject) => {
      const settle = (error, answer) => (error ? reject(error) : resolve(answer));
      settle.withError = true;
      this.emit(event, ...args, settle);
    });
  }

  timeout(ms) {
    this.#flags.timeout = ms;
    return this;
  }

  get volatile() {
    this.#flags.volatile = true;
    return this;
  }

  compress() {
    return this;
  }

  onAny(listener) {
    this.#any.push(listener);
    return this;
  }

  prependAny(listener) {
    this.#any.unshift(listener);
    return this;
  }

  offAny(listener) {
    this.#any = listener ? this.#any.filter((known) => known !== listener) : [];
    return this;
  }

  onAnyOutgoing(listener) {
    this.#anyOutgoing.push(listener);
    return this;
  }

  offAnyOutgoing(listener) {
    this.#anyOutgoing = listener ? this.#anyOutgoing.filter((known) => known !== listener) : [];
    return this;
  }

  _packetIn({ type, data, id }) {
    // What the server sent before it knew that this socket had left.
    if (!this.#subscribed) return;
    if (type === CONNECT) this.#welcome(data);
    else if (type === EVENT) this.#eventIn(data, id);
    else if (type === ACK) this.#ackIn(data, id);
    else if (type === DISCONNECT) {
      // The server means it: there is no return by itself.
      this.#subscribed = false;
      this.io._destroy();
      this.#lost("io server disconnect");
    } else if (type === CONNECT_ERROR) {
      this.#subscribed = false;
      this.io._destroy();
      const error = new Error(data?.message ?? "");
      error.data = data?.data;
      this.emitReserved("connect_error", error);
    }
  }

  #hello() {
    const send = (auth) => {
      if (!this.#subscribed || this.io._readyState !== "open") return;
      const known = this.#session ? { pid: this.#session, offset: this.#offset } : {};
      const payload = auth || this.#session ? { ...known, ...auth } : undefined;
      this.#write(CONNECT, payload);
    };
    if (typeof this.auth !== "function") return send(this.auth);
    // The function may answer late, when that connection has ended.
    const engine = this.io.engine;
    this.auth((auth) => engine === this.io.engine && send(auth));
  }

  #welcome({ sid, pid } = {}) {
    this.id = sid;
    this.recovered = Boolean(pid && this.#session === pid);
    this.#session = pid ?? null;
    this.connected = true;
    const received = this.#receiveBuffer.splice(0);
    for (const args of received) this.#dispatch(args);
    this.emitReserved("connect");
    for (const packet of this.#sendBuffer.splice(0)) this.#sendEvent(packet);
  }

  #eventIn(data, id) {
    const args = [...data];
    if (id !== undefined) args.push(this.#answerer(id));
    if (this.connected) this.#dispatch(args);
    else this.#receiveBuffer.push(args);
  }

  #dispatch(args) {
    for (const listener of [...this.#any]) shielded(() => listener(...args));
    this.emitReserved(...args);
    if (this.#session && typeof args.at(-1) === "string") this.#offset = args.at(-1);
  }

  #answerer(id) {
    let answered = false;
    return (...args) => {
      if (answered) return;
      answered = true;
      this.#write(ACK, args, id);
    };
  }

  #ackIn(data, id) {
    const ack = this.#acks.get(id);
    if (!ack) return;
    this.#acks.delete(id);
    ack.answer(data);
  }

  #awaitAck(packet, callback, timeout) {
    let timer;
    const takesError = callback.withError || timeout !== undefined;
    const fail = (message) => {
      clearTimeout(timer);
      this.#acks.delete(packet.id);
      if (takesError) callback(new Error(message));
    };
    if (timeout !== undefined) {
      timer = setTimeout(() => {
        // What never left is not sent after its sender has given up.
        this.#sendBuffer = this.#sendBuffer.filter((known) => known !== packet);
        fail("operation has timed out");
      }, timeout);
    }
    this.#acks.set(packet.id, {
      takesError,
      fail,
      answer: (args) => {
        clearTimeout(timer);
        shielded(() => (takesError ? callback(null, ...args) : callback(...args)));
      },
    });
  }

  #sendEvent(packet) {
    for (const listener of [...this.#anyOutgoing]) shielded(() => listener(...packet.data));
    this.#write(EVENT, packet.data, packet.id);
  }

  #write(type, data, id = "") {
    const namespace = this.#namespace === "/" ? "" : `${this.#namespace},`;
    const body = data === undefined ? "" : JSON.stringify(data);
    this.io._packet(`${type}${namespace}${id}${body}`);
  }

  #lost(reason, details) {
    if (!this.connected) return;
    this.connected = false;
    this.id = undefined;
    this.emitReserved("disconnect", reason, details);
    // Answers to what was sent will not come; what was not sent waits for the next connection.
    const waiting = new Set(this.#sendBuffer.map((packet) => packet.id));
    for (const [id, ack] of [...this.#acks]) {
      if (!waiting.has(id) && ack.takesError) ack.fail("socket has been disconnected");
    }
  }
}

/** Read a packet: `type[namespace,][id][JSON]`. Gives null for what breaks the protocol. */
export function decode(text) {
  const [, type, namespace, id, body] =
    /^([0-6])(?:(\/[^,]*),?)?(\d+)?([[{"].*)?$/s.exec(text) ?? [];
  if (type === undefined) return null;
  let data;
  try {
    data = body === undefined ? undefined : JSON.parse(body);
  } catch {
    return null;
  }
  const kind = Number(type);
  if ((kind === EVENT || kind === ACK) && !Array.isArray(data)) return null;
  return {
    type: kind,
    namespace: namespace ?? "/",
    id: id === undefined ? undefined : Number(id),
    data,
  };
}

const managers = new Map();

/** The socket of the namespace in the path of `uri`; sockets to one server share a connection. */
export function io(uri, options = {}) {
  const url = new URL(uri, globalThis.location?.href);
  const namespace = url.pathname === "" ? "/" : url.pathname;
  const key = `${url.origin}${options.path ?? "/socket.io"}`;
  let manager = managers.get(key);
  if (options.forceNew || options.multiplex === false || !manager) {
    manager = new Manager(url.origin, { ...options, autoConnect: false });
    manager.opts.autoConnect = options.autoConnect ?? true;
    if (!options.forceNew && options.multiplex !== false) managers.set(key, manager);
  }
  return manager.socket(namespace, options);
}

io.Manager = Manager;
io.Socket = Socket;
