/** The last frames of all connections, for the inspector. */

/** Enough to look back on. */
const MAX = 1000;
/** Payloads are held as they came: so much of them in all (in characters), whatever is sent. */
const ROOM = 4_000_000;
/** A larger one is not held: its beginning says what it is. */
const LARGEST = 500_000;
const BEGINNING = 4_000;
const NAME = 200;

/**
 * Emits `frame` for each one added, and `cleared`.
 *
 * A frame is `{id, at, connection, direction, name, payload}`: `direction` is `in`, `out` or `note`
 * (what happened to the connection), `connection` the name of a namespace or of another endpoint.
 * `cut` is true where only the beginning of the payload is held.
 */
class Frames extends EventTarget {
  #frames = [];
  #sizes = [];
  #held = 0;
  #next = 1;

  add(connection, direction, name, payload) {
    const frame = { id: this.#next++, at: Date.now(), connection, direction, name: String(name).slice(0, NAME), payload };
    let size = sizeOf(payload);
    if (size > LARGEST) {
      frame.payload = typeof payload === "string" ? payload.slice(0, BEGINNING) : beginning(payload);
      frame.cut = true;
      size = BEGINNING;
    }
    this.#frames.push(frame);
    this.#sizes.push(size);
    this.#held += size;
    while (this.#frames.length > MAX || this.#held > ROOM) {
      this.#frames.shift();
      this.#held -= this.#sizes.shift();
    }
    this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
  }

  /** The frames, the oldest first. */
  list() {
    return [...this.#frames];
  }

  clear() {
    this.#frames = [];
    this.#sizes = [];
    this.#held = 0;
    this.dispatchEvent(new Event("cleared"));
  }
}

/** About how much a payload holds, without writing it out; past `LARGEST` it is not counted on. */
function sizeOf(payload) {
  let size = 0;
  const open = [payload];
  while (open.length && size <= LARGEST) {
    const value = open.pop();
    if (typeof value === "string") size += value.length;
    else if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) size += value.byteLength;
    else if (value !== null && typeof value === "object") {
      for (const key in value) {
        size += key.length + 4;
        open.push(value[key]);
        if (size > LARGEST) break;
      }
    } else size += 4;
  }
  return size;
}

function beginning(payload) {
  try {
    return JSON.stringify(payload).slice(0, BEGINNING);
  } catch {
    // Deeper than the browser writes.
    return "…";
  }
}

export const frames = new Frames();
