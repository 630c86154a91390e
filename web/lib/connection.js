/**
 * The Socket.IO connection of the page: one manager, all namespaces, one state.
 *
 * What it hears goes to `on(namespace, event, …)`, what a screen asks goes through `request`, and
 * what the user writes through `send`, which waits while the server is away.
 */

import { addressOf } from "./address.js";
import { isUnanswered } from "./answers.js";
import { frames } from "./frames.js";
import { random } from "./session.js";

export const NAMESPACES = ["/stories", "/market", "/chat", "/diary"];

const ANSWER_MS = 10_000;
/** A server that is there answers within this. */
const ALIVE_MS = 3000;
/** A person does not write more than this while away; what writes more is a fault. */
const QUEUE_MAX = 200;
/** How long to wait before connecting again when the server refuses for a reason that passes. */
const REFUSED_MS = 10_000;
/** For all namespaces to say that events were lost, before the screen catches up once. */
const GAP_MS = 100;
/** How long to hold commands back that were too many, where the server does not say. */
const HELD_MS = 1000;
/** Refusals that pass by themselves: the command, known by its `client_id`, is sent again. */
const PASSING = new Set(["too_many_requests", "busy", "unavailable", "idempotency_in_flight"]);
/** Refusals that end the session, whatever token comes. */
const FINAL = new Set(["account_disabled", "session_ended", "account_deleted"]);

/** What a command was refused with, or `unreachable`, or `no_answer`. */
export class CommandError extends Error {
  constructor({ code, message, fields, retry_after: retryAfter }) {
    super(message);
    this.name = "CommandError";
    this.code = code;
    this.fields = fields ?? {};
    this.retryAfter = retryAfter;
  }
}

/**
 * Emits `state` whenever `state` changes; `catchup` when a connection has come back and events were
 * missed; `recovered` when the server has sent all that was missed, but for who is present and typing.
 *
 * `state.kind` is `signed-out`, `connecting`, `live`, `reconnecting` (`at`: when the next attempt
 * is made) or `offline` (the browser has no network). `state.waiting` counts what is unsent;
 * `state.heldUntil` is set while the server takes no more: when the next command is sent.
 * `state.code` and `state.detail` say why, for a tooltip.
 */
export class Connection extends EventTarget {
  #io;
  #session;
  #manager = null;
  #sockets = new Map();
  #queue = [];
  #listeners = [];
  #away = false;
  #back = false;
  #missed = false;
  #retry = null;
  #gap = null;
  /** `{until, code, detail}` while the server has asked for a pause, else null. */
  #held = null;
  #release = null;
  #renewedFor = new Set();
  #why = { code: "", detail: "" };
  state = { kind: "signed-out", waiting: 0, code: "", detail: "" };

  /** @param io the function of our client or of `socket.io-client`. */
  constructor(io, session) {
    super();
    this.#io = io;
    this.#session = session;
    session.addEventListener("renewed", () => this.#refreshSessions());
    globalThis.addEventListener?.("online", () => this.#verify());
    globalThis.addEventListener?.("offline", () => this.#verify());
  }

  /** The sockets by namespace, for the inspector. */
  get sockets() {
    return this.#sockets;
  }

  /** Connect all namespaces as the session's account. */
  open() {
    this.close();
    this.#away = this.#back = this.#missed = false;
    this.#why = { code: "", detail: "" };
    this.#manager = new this.#io.Manager(addressOf("/").origin, {
      path: addressOf("socket.io/").pathname,
      transports: ["websocket"],
      autoConnect: false,
      reconnectionDelay: 500,
      reconnectionDelayMax: 15_000,
    });
    this.#watchManager(this.#manager);
    for (const namespace of NAMESPACES) this.#sockets.set(namespace, this.#add(namespace));
    for (const socket of this.#sockets.values()) socket.connect();
    this.#tell();
  }

  /** End all connections; what is unsent is dropped. */
  close() {
    clearTimeout(this.#retry);
    const sockets = [...this.#sockets.values()];
    this.#sockets.clear();
    this.#manager = null;
    for (const socket of sockets) {
      socket.off();
      socket.disconnect();
    }
    clearTimeout(this.#release);
    this.#held = null;
    for (const entry of this.#queue.splice(0)) entry.fail(unreachable());
    this.#tell();
  }

  /** Connect now instead of when the wait is over. */
  retry() {
    if (!this.#manager || this.state.kind === "live") return;
    clearTimeout(this.#retry);
    const waiting = this.#manager._readyState === "closed";
    for (const socket of this.#sockets.values()) {
      if (socket.connected) continue;
      // Leaving ends the wait for the next attempt; one that is under way goes on.
      if (waiting) socket.disconnect();
      socket.connect();
    }
    this.#tell({ at: Date.now() });
  }

  /** Wait for the first connection to be made, or to fail: what is read then misses no event. */
  settled() {
    if (this.state.kind !== "connecting") return Promise.resolve();
    return new Promise((resolve) => {
      const look = () => {
        if (this.state.kind === "connecting") return;
        this.removeEventListener("state", look);
        resolve();
      };
      this.addEventListener("state", look);
    });
  }

  /**
   * Ask the server for a sign of life after the network has changed.
   *
   * A connection may outlive the network (a server on this machine), or be dead without a word.
   */
  async #verify() {
    if (this.state.kind !== "live") {
      this.retry();
      this.#tell();
      return;
    }
    const manager = this.#manager;
    if (!(await this.#refreshSessions(ALIVE_MS)) && manager === this.#manager) {
      manager.engine?.close();
    }
  }

  /** Hear an event of a namespace; returns what ends it. */
  on(namespace, event, listener) {
    const entry = { namespace, event, listener };
    this.#listeners.push(entry);
    return () => {
      this.#listeners = this.#listeners.filter((known) => known !== entry);
    };
  }

  /** Run a command and return its `data`; throws a CommandError. Not queued while away. */
  async request(namespace, command, payload = {}, { timeoutMs = ANSWER_MS } = {}) {
    const socket = this.#sockets.get(namespace);
    const away = this.state.kind === "reconnecting" || this.state.kind === "offline";
    if (!socket || (away && !socket.connected)) throw unreachable();
    let answer;
    try {
      answer = await socket.timeout(timeoutMs).emitWithAck(command, payload);
    } catch {
      const noAnswer = { code: "no_answer", message: "The server did not answer." };
      frames.add(namespace, "note", `${command} no answer`, noAnswer);
      throw new CommandError(noAnswer);
    }
    frames.add(namespace, "in", `${command} ack`, answer);
    if (answer?.error) throw new CommandError(answer.error);
    return answer?.data;
  }

  /**
   * Run a command that makes something, now or as soon as the server is back.
   *
   * It has a `client_id`, so that it is done once however often it is sent: also when the server was
   * too busy for it, after the time that it asked for. Returns
   * `{clientId, done, cancel}`: `done` resolves to the data or rejects with a CommandError.
   * Commands leave in the order in which they came; nothing waits longer than the page is open.
   */
  send(namespace, command, payload = {}) {
    const clientId = payload.client_id ?? random();
    if (this.#queue.length >= QUEUE_MAX) {
      const full = { code: "too_many_waiting", message: "Too much is waiting to be sent." };
      return { clientId, done: Promise.reject(new CommandError(full)), cancel() {} };
    }
    const entry = { namespace, command, payload: { ...payload, client_id: clientId }, busy: false };
    const done = new Promise((resolve, reject) => {
      entry.succeed = resolve;
      entry.fail = reject;
    });
    this.#queue.push(entry);
    this.#flush();
    this.#tell();
    const cancel = () => {
      this.#queue = this.#queue.filter((known) => known !== entry);
      this.#tell();
    };
    return { clientId, done, cancel };
  }

  /** Whether a command of this `client_id` waits: for the server to come back, or to take more. */
  waits(clientId) {
    const entry = this.#queue.find(({ payload }) => payload.client_id === clientId);
    if (!entry) return false;
    // One that was under way when the connection broke is sent again.
    const connected = this.#sockets.get(entry.namespace)?.connected;
    return !connected || (this.#held !== null && !entry.busy);
  }

  /** Send the first waiting command of each namespace, and the next when it is answered. */
  #flush() {
    if (this.#held) return;
    for (const [namespace, socket] of this.#sockets) {
      const entry = this.#queue.find((known) => known.namespace === namespace);
      if (entry && !entry.busy && socket.connected) this.#run(entry);
    }
  }

  async #run(entry) {
    entry.busy = true;
    const settle = (outcome) => {
      this.#queue = this.#queue.filter((known) => known !== entry);
      outcome();
      this.#flush();
      this.#tell();
    };
    try {
      const data = await this.request(entry.namespace, entry.command, entry.payload);
      settle(() => entry.succeed(data));
    } catch (error) {
      entry.busy = false;
      if (isUnanswered(error)) {
        // Not answered is not known: it is sent again, and its client_id keeps it from being twice.
        if (this.#sockets.get(entry.namespace)?.connected) this.#flush();
      } else if (PASSING.has(error.code) && (error.retryAfter || error.code === "too_many_requests")) {
        this.#hold(error);
        // Where others are held back already the state is as it was; this one waits since now.
        this.dispatchEvent(new Event("state"));
      } else settle(() => entry.fail(error));
      this.#tell();
    }
  }

  /** Send nothing for as long as the server says: it counts what an account sends anywhere. */
  #hold({ code, message, retryAfter }) {
    const until = Date.now() + (retryAfter ? retryAfter * 1000 : HELD_MS);
    if (this.#held && this.#held.until >= until) return;
    clearTimeout(this.#release);
    this.#held = { until, code, detail: message };
    this.#release = setTimeout(() => {
      this.#held = null;
      this.#flush();
      this.#tell();
    }, until - Date.now());
  }

  #watchManager(manager) {
    const current = (listener) => (value) => this.#manager === manager && listener(value);
    manager.on(
      "reconnect_attempt",
      current(() => this.#tell({ at: Date.now() })),
    );
    manager.on(
      "reconnect_wait",
      current((delay) => this.#tell({ at: Date.now() + delay })),
    );
    manager.on(
      "error",
      current((error) => this.#because("unreachable", error.message)),
    );
    manager.on(
      "close",
      current((reason) => this.#because(reason.replaceAll(" ", "_"), reason)),
    );
  }

  #because(code, detail) {
    this.#why = { code, detail };
    this.#tell();
  }

  #add(namespace) {
    const socket = this.#manager.socket(namespace, {
      auth: (give) => this.#session.token().then((token) => give({ token })),
    });
    socket.on("connect", () => this.#connected(namespace, socket));
    socket.on("connect_error", (error) => this.#refused(namespace, socket, error));
    socket.on("disconnect", (reason) => {
      frames.add(namespace, "note", "disconnected", reason);
      this.#tell();
    });
    socket.on("session.expiring", () => this.#session.renewInTime());
    socket.on("session.gap", () => this.#lost());
    socket.on("session.ending", (ending) => this.#ending(socket, ending));
    // An event is one object; behind it comes its offset, which only the socket reads.
    socket.onAny((event, payload) => {
      frames.add(namespace, "in", event, payload);
      for (const entry of this.#listeners) {
        if (entry.namespace === namespace && entry.event === event) entry.listener(payload);
      }
    });
    socket.onAnyOutgoing((event, ...args) => {
      const shown = event === "refresh_session" ? { token: "…" } : args[0];
      frames.add(namespace, "out", event, shown);
    });
    return socket;
  }

  #connected(namespace, socket) {
    frames.add(namespace, "note", "connected", { sid: socket.id, recovered: socket.recovered });
    this.#renewedFor.delete(namespace);
    if (this.#away) this.#back = true;
    if (this.#away && !socket.recovered) this.#missed = true;
    this.#tell();
    this.#flush();
  }

  async #refused(namespace, socket, error) {
    if (socket.active) return this.#because("unreachable", error.message);
    const code = error.data?.code ?? "refused";
    frames.add(namespace, "note", "refused", { message: error.message, data: error.data });
    this.#because(code, error.message);
    if (FINAL.has(code)) return this.#session.end(code);
    if (!code.startsWith("token_")) return this.#laterAgain();
    // A token that was renewed and is refused again will not be better the third time.
    if (this.#renewedFor.has(namespace)) return this.#session.end(code);
    try {
      await this.#session.renew();
      this.#renewedFor.add(namespace);
    } catch {
      return this.#laterAgain();
    }
    if (this.#sockets.get(namespace) === socket) socket.connect();
  }

  /** Every namespace says so; the screen catches up once. */
  #lost() {
    clearTimeout(this.#gap);
    this.#gap = setTimeout(() => this.dispatchEvent(new Event("catchup")), GAP_MS);
  }

  #ending(socket, { code, message, reconnect }) {
    this.#why = { code, detail: message };
    if (reconnect) return;
    if (FINAL.has(code)) return this.#session.end(code);
    // The namespace is disconnected after this; a new token brings it back.
    socket.once("disconnect", async () => {
      await this.#session.renew().catch(() => {});
      if ([...this.#sockets.values()].includes(socket)) socket.connect();
    });
  }

  #laterAgain() {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.retry(), REFUSED_MS);
    this.#tell({ at: Date.now() + REFUSED_MS });
  }

  /** One renewal holds for all namespaces of the connection. Returns whether it was answered. */
  async #refreshSessions(timeoutMs = ANSWER_MS) {
    const socket = [...this.#sockets.values()].find((known) => known.connected);
    if (!socket) return false;
    const token = await this.#session.token();
    const command = socket.timeout(timeoutMs).emitWithAck("refresh_session", { token });
    return command.then(
      () => true,
      () => false,
    );
  }

  #tell(more = {}) {
    const { kind, at } = this.#look(more);
    const held = kind === "live" && this.#queue.length > 0 ? this.#held : null;
    const waiting = kind === "live" && !held ? 0 : this.#queue.length;
    const { code, detail } = held ?? (kind === "live" ? { code: "", detail: "" } : this.#why);
    const next = { kind, at, waiting, heldUntil: held?.until, code, detail };
    const before = this.state;
    this.state = next;
    this.#away = kind === "reconnecting" || kind === "offline";
    const { missed, back } = { missed: this.#missed, back: this.#back && kind === "live" };
    if (kind === "live") this.#missed = this.#back = false;
    if (JSON.stringify(before) !== JSON.stringify(next)) this.dispatchEvent(new Event("state"));
    if (back) this.dispatchEvent(new Event(missed ? "catchup" : "recovered"));
  }

  #look({ at }) {
    const sockets = [...this.#sockets.values()];
    if (sockets.length === 0) return { kind: "signed-out" };
    if (sockets.every((socket) => socket.connected)) return { kind: "live" };
    if (globalThis.navigator?.onLine === false) return { kind: "offline" };
    const fresh = this.state.kind === "signed-out" || this.state.kind === "connecting";
    if (fresh && this.#why.code === "") return { kind: "connecting" };
    return { kind: "reconnecting", at: at ?? this.state.at };
  }
}

function unreachable() {
  return new CommandError({ code: "unreachable", message: "The server cannot be reached." });
}
