/** A WebSocket of one of the older APIs: open(), close(), send(). */

import { describe } from "../../lib/forms.js";

const FIRST_DELAY_MS = 2_000;
const LONGEST_DELAY_MS = 30_000;
/** A connection that lasted this long was a success: the next wait starts from the beginning. */
const STABLE_MS = 10_000;

/** Close codes that often come without a reason; what they mean is `close.<code>` of the words. */
const KNOWN = new Set([1000, 1001, 1005, 1006, 1008, 1009, 1011, 1013, 4001, 4002, 4003, 4009]);

export class RawConnection {
  #door;
  #session;
  #tell;
  #log;
  #verify;
  #t;
  #socket = null;
  #timer = null;
  #attempt = 0;
  #openedAt = 0;

  /**
   * `tell(state, detail)` hears of each change, `log(direction, name, payload)` of each frame, `t` has
   * the words. `verify` asks the server whether it takes the session's token, and throws its refusal.
   */
  constructor(door, { session, tell, log, verify, t }) {
    this.#t = t;
    this.#door = door;
    this.#session = session;
    this.#tell = tell;
    this.#log = log;
    this.#verify = verify;
  }

  open() {
    this.#stop();
    this.#attempt = 0;
    this.#tell("connecting");
    this.#connect();
  }

  close() {
    this.#stop();
    this.#tell("closed", this.#t("close.own"));
  }

  /** Send a text frame as it is; what comes back is a frame like any other. */
  send({ text }) {
    this.#log("out", nameOf(text), text);
    this.#socket.send(text);
  }

  /** Forget the present socket: nothing it still says is heard. */
  #stop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  #connect() {
    // Stands in for the socket while the token is fetched, so that #stop() works meanwhile.
    const claim = (this.#socket = { close() {} });
    this.#session.token().then((token) => {
      if (this.#socket !== claim || !token) return;
      const url = new URL(this.#door.url(token, this.#session.user), location.href);
      url.protocol = url.protocol.replace("http", "ws");
      const socket = (this.#socket = new WebSocket(url));
      socket.binaryType = "arraybuffer";
      const current = (listener) => (event) => this.#socket === socket && listener(event);
      socket.addEventListener("open", current(() => this.#opened()));
      socket.addEventListener("message", current(({ data }) => this.#received(data)));
      socket.addEventListener("close", current((event) => this.#closed(event)));
    });
  }

  #opened() {
    this.#openedAt = performance.now();
    this.#log("note", "connected", "");
    this.#tell("connected");
  }

  #received(data) {
    if (typeof data === "string") this.#log("in", nameOf(data), data);
    else this.#log("in", "binary", data);
  }

  async #closed({ code, reason }) {
    const wasOpen = this.#openedAt > 0;
    if (wasOpen && performance.now() - this.#openedAt > STABLE_MS) this.#attempt = 0;
    this.#openedAt = 0;
    // A browser cannot read why an upgrade was refused.
    const meaning = KNOWN.has(code) ? this.#t(`close.${code}`) : "";
    const text = wasOpen ? `${code} ${reason || meaning}`.trim() : this.#t("close.refused");
    this.#log("note", wasOpen ? "closed" : "not opened", { code, reason });
    if (code >= 4000) {
      // The server's way of saying: coming back by yourself would not help.
      this.#tell(wasOpen ? "closed" : "refused", text);
      return;
    }
    if (!wasOpen && (await this.#refused())) return;
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempt++);
    // Spread, so that a restarted server does not meet all its clients at the same moment.
    const delay = longest * (0.75 + Math.random() / 4);
    this.#tell("reconnecting", `${text} ${this.#t("close.again", { seconds: Math.ceil(delay / 1000) })}`);
    this.#timer = setTimeout(() => this.#connect(), delay);
  }

  /**
   * Find out why the connection did not open. Browsers hide the HTTP status of a refused upgrade,
   * so the question is put over REST; true when coming back would be refused again.
   */
  async #refused() {
    const socket = this.#socket;
    try {
      await this.#verify();
    } catch ({ status, code, message }) {
      if (this.#socket === socket && (status === 401 || status === 403)) {
        this.#tell("refused", `${this.#t("close.refused.why")} ${describe({ code, message })}`);
      }
      return this.#socket !== socket || status === 401 || status === 403;
    }
    return this.#socket !== socket;
  }
}

/** Legacy frames name themselves in `type`, those of conversations in `event`. */
function nameOf(text) {
  try {
    const frame = JSON.parse(text);
    return String(frame?.type ?? frame?.event ?? "message");
  } catch {
    return "text";
  }
}
