/**
 * Messages that are not sent yet: they wait for their uploads and for the server, in their order.
 *
 * They are kept in the tab under their `clientId`, so that a reload sends what was waiting, and
 * sends nothing twice.
 */

import { kept, perSession, random } from "../../lib/session.js";
import { ATTACHMENTS_MAX } from "./data.js";

const KEY = "chat.outbox";

/** The outbox of the signed-in account. */
export const outboxOf = perSession((ctx, server) => new Outbox(ctx, server));

/**
 * Emits `change` (detail: a conversation's id) and `sent` (detail: `{message, entry}`).
 *
 * An entry is `{clientId, conversationId, content, type, replyTo, uploads, attachments, at, state,
 * error}` with the `state` `uploading`, `sending` (also while it waits for the server) or `failed`.
 */
export class Outbox extends EventTarget {
  #server;
  #connection;
  #entries = [];
  #tails = new Map();
  #state;
  /** Files that are attached and not sent yet, by conversation: they wait where one has put them. */
  attached = new Map();

  constructor({ connection }, server) {
    super();
    this.#server = server;
    this.#connection = connection;
    this.#state = () => this.#onState();
    connection.addEventListener("state", this.#state);
    // A connection may outlive a network that uploads do not.
    globalThis.addEventListener("online", this.#state);
    for (const entry of kept.get(KEY) ?? []) {
      this.#entries.push({ ...entry, uploads: [] });
      if (entry.state !== "failed") this.#start(this.#entries.at(-1));
    }
  }

  dispose() {
    this.#connection.removeEventListener("state", this.#state);
    globalThis.removeEventListener("online", this.#state);
    const unsent = this.#entries.flatMap(({ uploads }) => uploads);
    for (const upload of [...unsent, ...[...this.attached.values()].flat()]) upload.cancel();
    this.attached.clear();
    this.#entries = [];
  }

  /** What a conversation has unsent, the oldest first. */
  of(conversationId) {
    return this.#entries.filter((entry) => entry.conversationId === conversationId);
  }

  /** Whether an entry waits for the server to come back, and not just for its answer. */
  waits({ clientId, state }) {
    return state !== "failed" && (this.#connection.waits(clientId) || this.#isAway());
  }

  /** Send a text, and files by their kinds: a message has attachments of one kind. */
  send({ conversationId, content, replyTo = null, uploads = [] }) {
    const groups = [];
    for (const upload of uploads) {
      const last = groups.at(-1);
      if (last?.[0].kind === upload.kind && last.length < ATTACHMENTS_MAX) last.push(upload);
      else groups.push([upload]);
    }
    if (groups.length === 0) groups.push([]);
    groups.forEach((files, index) => {
      const entry = {
        clientId: random(),
        conversationId,
        // The text goes with the first of them.
        content: index === 0 ? content : "",
        replyTo: index === 0 ? replyTo : null,
        type: files[0]?.kind ?? "text",
        uploads: files,
        attachments: [],
        at: new Date().toISOString(),
        state: files.length ? "uploading" : "sending",
        error: null,
      };
      this.#entries.push(entry);
      this.#start(entry);
    });
    this.#changed(conversationId);
  }

  /** Send again what failed. */
  retry(clientId) {
    const entry = this.#find(clientId);
    if (!entry) return;
    for (const upload of entry.uploads) if (upload.state === "failed") upload.start();
    entry.state = entry.uploads.length ? "uploading" : "sending";
    entry.error = null;
    this.#start(entry);
    this.#changed(entry.conversationId);
  }

  /** Give it up; returns it. */
  discard(clientId) {
    const entry = this.#find(clientId);
    if (!entry) return null;
    for (const upload of entry.uploads) upload.cancel();
    this.#drop(entry);
    return entry;
  }

  /** Begin when those before it in its conversation have been handed over. */
  #start(entry) {
    const before = this.#tails.get(entry.conversationId) ?? Promise.resolve();
    const own = before.then(() => this.#handOver(entry));
    this.#tails.set(entry.conversationId, own);
  }

  async #handOver(entry) {
    try {
      const attachments = await Promise.all(entry.uploads.map((upload) => upload.done()));
      if (attachments.length) entry.attachments = attachments;
    } catch (error) {
      this.#fail(entry, error);
      return;
    }
    if (!this.#entries.includes(entry)) return;
    entry.state = "sending";
    this.#changed(entry.conversationId);
    const { done } = this.#server.send({
      ...entry,
      attachments: entry.attachments.map(({ id }) => id),
    });
    done.then(
      (message) => {
        this.dispatchEvent(new CustomEvent("sent", { detail: { message, entry } }));
        this.#drop(entry);
      },
      (error) => this.#fail(entry, error),
    );
  }

  #fail(entry, error) {
    if (!this.#entries.includes(entry)) return;
    const { code, message, fields, retryAfter } = error;
    entry.state = "failed";
    entry.error = { code, message, fields, retryAfter };
    this.#changed(entry.conversationId);
  }

  #drop(entry) {
    this.#entries = this.#entries.filter((known) => known !== entry);
    this.#changed(entry.conversationId);
  }

  #find(clientId) {
    return this.#entries.find((entry) => entry.clientId === clientId);
  }

  #onState() {
    // A file whose upload broke off goes on by itself.
    const live = this.#connection.state.kind === "live";
    for (const entry of this.#entries) {
      if (live && entry.state === "failed" && entry.error?.code === "unreachable") {
        this.retry(entry.clientId);
      }
    }
    for (const id of new Set(this.#entries.map((entry) => entry.conversationId))) {
      this.dispatchEvent(new CustomEvent("change", { detail: id }));
    }
  }

  #isAway() {
    return ["reconnecting", "offline"].includes(this.#connection.state.kind);
  }

  #changed(conversationId) {
    // Files do not outlive the page, so what waits for one is not kept.
    const lasting = this.#entries
      .filter((entry) => entry.attachments.length === entry.uploads.length || !entry.uploads.length)
      .map(({ uploads, ...entry }) => entry);
    kept.set(KEY, lasting.length ? lasting : null);
    this.dispatchEvent(new CustomEvent("change", { detail: conversationId }));
  }
}
