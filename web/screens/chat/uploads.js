/** Files on their way to the server, before a message names them. */

import { clientConfig } from "../../lib/api.js";

/** The server takes four at once of an account; one is left for another tab. */
const AT_ONCE = 3;
export const KINDS = ["image", "video", "audio"];

let running = 0;
const waiting = [];

/** What the page knows is refused, with the code of the server. */
class Refused extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/**
 * A file that is being uploaded.
 *
 * `state` is `waiting`, `sending`, `done` (with `attachment`) or `failed` (with `error`); emits
 * `change`. `url` shows a picture of it before it is there.
 */
export class Upload extends EventTarget {
  #server;
  #conversationId;
  #abort = new AbortController();
  #settled = null;
  state = "waiting";
  progress = 0;
  attachment = null;
  error = null;

  constructor(server, conversationId, file) {
    super();
    this.#server = server;
    this.#conversationId = conversationId;
    this.file = file;
    this.kind = file.type.split("/")[0];
    this.url = URL.createObjectURL(file);
    this.start();
  }

  /** Begin, or begin anew after a failure. */
  start() {
    this.#abort = new AbortController();
    this.#set({ state: "waiting", error: null, progress: 0 });
    this.#settled = this.#run();
    // Who waits for it hears of it; it is shown in any case.
    this.#settled.catch(() => {});
  }

  /** Resolves to the attachment. */
  done() {
    return this.#settled;
  }

  cancel() {
    this.#abort.abort();
    URL.revokeObjectURL(this.url);
  }

  async #run() {
    try {
      await this.#check();
      await turn();
      try {
        this.#abort.signal.throwIfAborted();
        this.#set({ state: "sending" });
        this.attachment = await this.#server.upload(this.#conversationId, this.file, {
          progress: (progress) => this.#set({ progress }),
          signal: this.#abort.signal,
        });
      } finally {
        next();
      }
      this.#set({ state: "done", progress: 1 });
      return this.attachment;
    } catch (error) {
      if (error.name !== "AbortError") this.#set({ state: "failed", error });
      throw error;
    }
  }

  async #check() {
    if (!KINDS.includes(this.kind)) throw new Refused("media_type_refused");
    if (this.file.size === 0) throw new Refused("media_unreadable");
    const config = await clientConfig().catch(() => null);
    const most = config?.limits?.upload_bytes;
    if (most && this.file.size > most) throw new Refused("too_large");
  }

  #set(values) {
    Object.assign(this, values);
    this.dispatchEvent(new Event("change"));
  }
}

function turn() {
  if (running < AT_ONCE) {
    running += 1;
    return Promise.resolve();
  }
  return new Promise((resolve) => waiting.push(resolve));
}

function next() {
  const resume = waiting.shift();
  if (resume) resume();
  else running -= 1;
}
