/**
 * Stories that are not published yet: they wait for the server, or say why it refused them.
 *
 * They outlive the screen, and are kept in the tab under their `clientId`, so that a reload sends
 * what was waiting, and publishes nothing twice.
 */

import { WAITING, answerOrWaiting } from "../../lib/answers.js";
import { kept, perSession, random } from "../../lib/session.js";
import { publish } from "./data.js";

const KEY = "stories.outbox";

/** The outbox of the signed-in account. */
export const outboxOf = perSession(({ connection }) => new Outbox(connection));

/** Emits `changed`, and `posted` (detail: the story as the server answered). */
export class Outbox extends EventTarget {
  #connection;
  #entries = [];
  #state = () => this.dispatchEvent(new Event("changed"));

  constructor(connection) {
    super();
    this.#connection = connection;
    connection.addEventListener("state", this.#state);
    for (const entry of kept.get(KEY) ?? []) {
      this.#entries.push(entry);
      if (!entry.error) this.#send(entry);
    }
  }

  dispose() {
    this.#connection.removeEventListener("state", this.#state);
    this.#entries = [];
  }

  /** What waits or has failed, the newest first: `{clientId, text, audience, error}`. */
  get entries() {
    return this.#entries.filter((entry) => entry.error || this.#connection.waits(entry.clientId)).reverse();
  }

  /**
   * Publish a story: resolves to `"posted"`, or to `"waiting"` once it waits for the connection.
   *
   * Throws what the server refused it with; the text is then the caller's again.
   */
  async post({ text, audience }) {
    const entry = { clientId: random(), text, audience, error: null };
    this.#entries.push(entry);
    const sent = this.#send(entry);
    const outcome = await answerOrWaiting(this.#connection, { clientId: entry.clientId, done: sent });
    if (outcome === WAITING) return "waiting";
    if (!outcome.error) return "posted";
    this.discard(entry.clientId);
    throw outcome.error;
  }

  /** Send again what was refused. */
  retry(clientId) {
    const entry = this.#entries.find((known) => known.clientId === clientId && known.error);
    if (!entry) return;
    entry.error = null;
    this.#send(entry);
  }

  /** Give it up. */
  discard(clientId) {
    const entry = this.#entries.find((known) => known.clientId === clientId);
    entry?.cancel?.();
    this.#drop(entry);
  }

  /** Resolves to `{error}` (null when it is published), once the server has answered. */
  #send(entry) {
    const { done, cancel } = publish(this.#connection, entry);
    entry.cancel = cancel;
    this.#changed();
    return done.then(
      (story) => {
        if (this.#entries.includes(entry)) {
          this.#drop(entry);
          this.dispatchEvent(new CustomEvent("posted", { detail: story }));
        }
        return { error: null };
      },
      (error) => {
        if (this.#entries.includes(entry)) {
          const { code, message, fields, retryAfter } = error;
          entry.error = { code, message, fields, retryAfter };
          this.#changed();
        }
        return { error };
      },
    );
  }

  #drop(entry) {
    this.#entries = this.#entries.filter((known) => known !== entry);
    this.#changed();
  }

  #changed() {
    const lasting = this.#entries.map(({ cancel, ...entry }) => entry);
    kept.set(KEY, lasting.length ? lasting : null);
    this.dispatchEvent(new Event("changed"));
  }
}
