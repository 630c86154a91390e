/** JSON as a tree of text, folded beyond three levels. */

import { bdi, el } from "../../lib/dom.js";

const FOLDED = 3;
/** A longer list is for a program to read. */
const ITEMS = 100;
/** So much of a text says what it is; a megabyte of it would hold the page up. */
const CHARACTERS = 4000;
/** So much of what is binary. */
const BYTES = 32;

/**
 * Characters that are not seen, or that turn the text around them: they stand as their escape.
 * Joiners of emoji (U+200D) and of scripts stay.
 */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/** Text with what is unseen written out. */
export function visible(text) {
  const written = text.replace(UNSEEN, (char) => `\\u${char.codePointAt(0).toString(16).padStart(4, "0")}`);
  return written.toWellFormed?.() ?? written;
}

/** What a frame holds: text that is not JSON stays text. */
export function parsed(payload) {
  if (typeof payload !== "string") return payload;
  try {
    return JSON.parse(payload);
  } catch {
    return payload;
  }
}

export function jsonTree(value, depth = 0) {
  const bytes = bytesOf(value);
  if (bytes) return bdi(bytes, { class: "mono json binary" });
  if (value === null || typeof value !== "object") {
    const cut = typeof value === "string" && value.length > CHARACTERS;
    const text = JSON.stringify(cut ? value.slice(0, CHARACTERS) : value) ?? "";
    return bdi(visible(cut ? `${text}…` : text), { class: ["mono", "json", typeof value], dir: "ltr" });
  }
  const entries = first(value);
  return el(
    "ul",
    { class: "json" },
    entries.map(([key, child]) => {
      const name = bdi(visible(key.slice(0, CHARACTERS)));
      const nested = child !== null && typeof child === "object" && !bytesOf(child);
      if (nested && depth + 1 >= FOLDED) {
        const details = el("details", {}, el("summary", { class: "mono" }, name, ` ${sizeOf(child)}`));
        details.addEventListener("toggle", () => details.open && details.childElementCount === 1 && details.append(jsonTree(child, depth + 1)));
        return el("li", {}, details);
      }
      return el("li", {}, el("span", { class: "mono json-key" }, name, ": "), jsonTree(child, depth + 1));
    }),
    countOf(value) > ITEMS && el("li", { class: "muted" }, `… ${sizeOf(value)}`),
  );
}

function first(value) {
  if (Array.isArray(value)) return value.slice(0, ITEMS).map((child, index) => [String(index), child]);
  return Object.keys(value)
    .slice(0, ITEMS)
    .map((key) => [key, value[key]]);
}

function countOf(value) {
  return Array.isArray(value) ? value.length : Object.keys(value).length;
}

function sizeOf(value) {
  return Array.isArray(value) ? `[${value.length}]` : `{${countOf(value)}}`;
}

/** Binary as its length and first bytes, null for all else. */
function bytesOf(value) {
  const buffer = value instanceof ArrayBuffer ? value : ArrayBuffer.isView(value) ? value.buffer : null;
  if (!buffer) return null;
  const hex = [...new Uint8Array(buffer.slice(0, BYTES))].map((byte) => byte.toString(16).padStart(2, "0"));
  return `${buffer.byteLength} B: ${hex.join(" ")}${buffer.byteLength > BYTES ? " …" : ""}`;
}
