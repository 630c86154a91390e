/** Who types: each for a few seconds after they were last heard of. */

import { TYPING_MS } from "./data.js";

/** Keys with a time of their own; `changed()` hears when one has run out. */
export class Typists {
  #until = new Map();
  #timer = null;
  #changed;

  constructor(changed) {
    this.#changed = changed;
  }

  get keys() {
    return [...this.#until.keys()];
  }

  add(key) {
    this.#until.set(key, Date.now() + TYPING_MS);
    this.#forget();
  }

  delete(key) {
    return this.#until.delete(key);
  }

  dispose() {
    clearTimeout(this.#timer);
    this.#until.clear();
  }

  #forget() {
    clearTimeout(this.#timer);
    const now = Date.now();
    for (const [key, until] of this.#until) if (until <= now) this.#until.delete(key);
    if (this.#until.size === 0) return;
    const next = Math.min(...this.#until.values());
    this.#timer = setTimeout(() => {
      this.#forget();
      this.#changed();
    }, next - now);
  }
}
