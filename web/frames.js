/** The log of frames: newest first, bounded, drawn at most once per screen refresh. */

import { el } from "./dom.js";

const LIMIT = 1_000;
/** A longer payload is cut in the log; laying out megabytes of text would freeze the page. */
const PAYLOAD_LIMIT = 20_000;
const ARROWS = { in: ["↓", "received"], out: ["↑", "sent"], note: ["·", "connection"] };

export class FrameLog {
  #list;
  #counter;
  #waiting = [];
  #scheduled = false;
  #paused = false;
  #door = "";

  constructor(list, counter) {
    this.#list = list;
    this.#counter = counter;
  }

  /** Add a frame; `direction` is "in", "out" or "note", `payload` text or a JSON value. */
  add(frame) {
    this.#waiting.push({ ...frame, at: new Date() });
    // A page in the background is not drawn, and a paused log is not either; both stay bounded.
    if (this.#waiting.length > LIMIT) this.#waiting.shift();
    this.#schedule();
  }

  clear() {
    this.#waiting = [];
    this.#list.replaceChildren();
    this.#count();
  }

  /** Show the frames of one door, or of all for an empty id. */
  show(doorId) {
    this.#door = doorId;
    for (const item of this.#list.children) item.hidden = !this.#visible(item.dataset.door);
    this.#count();
  }

  pause(paused) {
    this.#paused = paused;
    this.#schedule();
  }

  #visible(doorId) {
    return !this.#door || this.#door === doorId;
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      if (!this.#paused) this.#draw();
      this.#count();
    });
  }

  #draw() {
    const fresh = document.createDocumentFragment();
    for (const frame of this.#waiting) {
      const item = render(frame);
      item.hidden = !this.#visible(frame.door.id);
      fresh.prepend(item);
    }
    this.#waiting = [];
    this.#list.prepend(fresh);
    while (this.#list.children.length > LIMIT) this.#list.lastElementChild.remove();
  }

  #count() {
    const shown = this.#list.querySelectorAll(":scope > :not([hidden])").length;
    const more = this.#paused && this.#waiting.length ? `, ${this.#waiting.length} waiting` : "";
    this.#counter.textContent = `${shown}${more}`;
  }
}

function render({ door, direction, name, payload, at }) {
  const [arrow, meaning] = ARROWS[direction];
  const text = pretty(payload);
  return el(
    "li",
    { class: "frame", "data-door": door.id, "data-direction": direction, "data-name": name },
    el(
      "div",
      { class: "frame-head" },
      el("time", { datetime: at.toISOString() }, clock(at)),
      el("span", { class: "arrow", role: "img", "aria-label": meaning, title: meaning }, arrow),
      el("span", { class: "frame-name" }, name),
      el("span", { class: "frame-door" }, door.address),
    ),
    text ? el("pre", {}, text) : null,
  );
}

function clock(at) {
  const two = (number) => String(number).padStart(2, "0");
  const seconds = `${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
  return `${two(at.getHours())}:${two(at.getMinutes())}:${seconds}`;
}

/** Indent JSON, given as a value or as text; text that is no JSON stays as it came. */
export function pretty(payload) {
  if (payload === undefined || payload === "") return "";
  let text = payload;
  if (typeof payload !== "string") text = JSON.stringify(payload, null, 2);
  else {
    try {
      text = JSON.stringify(JSON.parse(payload), null, 2);
    } catch {
      // Broken JSON is worth seeing exactly as it came.
    }
  }
  if (text.length <= PAYLOAD_LIMIT) return text;
  return `${text.slice(0, PAYLOAD_LIMIT)}\n… ${text.length - PAYLOAD_LIMIT} more characters`;
}
