/** The text of a message as nodes: links, and the people it calls. */

import { el } from "../../lib/dom.js";

const TOKEN = /(https?:\/\/[^\s<>"]+)|(@[^\s@]+)/giu;
/** What ends a sentence after a link or a name is no part of it. */
const AFTER = /[.,;:!?)\]}'"»…]+$/u;
const JUMBO = /^(?:\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\ufe0f|\u200d\p{Extended_Pictographic})*\s*){1,3}$/u;
/** What cannot stand in a handle, as the server compares names. */
const NOT_IN_HANDLES = /[^\p{L}\p{M}\p{N}_.+'’·・@-]/gu;

/** Whether a text is nothing but a few emoji, which are shown large. */
export function isJumbo(text) {
  return JUMBO.test(text);
}

/** How a name is written behind an `@`. */
export function handleOf(name) {
  return name.replace(NOT_IN_HANDLES, "").replace(/^[.'’@·・-]+|[.'’@·・-]+$/gu, "");
}

export function foldName(text) {
  return text.normalize("NFKC").toLowerCase();
}

/** Text as nodes; `mentioned` are `{id, name}` of the people it calls, `me` the reader. */
export function textNodes(text, mentioned, me) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(TOKEN)) {
    const written = match[0].replace(AFTER, "");
    const node = match[1] ? link(written) : mention(written, mentioned, me);
    if (!node) continue;
    if (match.index > from) nodes.push(text.slice(from, match.index));
    nodes.push(node);
    from = match.index + written.length;
  }
  nodes.push(text.slice(from));
  return nodes.filter((node) => node !== "");
}

function link(address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return null;
  }
  const page = new URL(location.href);
  const isHere = url.origin === page.origin && url.pathname === page.pathname && url.hash !== "";
  // A place of this page opens in it, everything else beside it.
  const beside = { target: "_blank", rel: "noopener noreferrer nofollow" };
  const href = isHere ? url.hash : url.href;
  return el("a", { href, tabindex: -1, ...(!isHere && beside) }, address);
}

function mention(written, mentioned, me) {
  if (mentioned.length === 0) return null;
  const handle = foldName(written.slice(1));
  const called =
    mentioned.find(({ name }) => name && foldName(handleOf(name)) === handle) ??
    // Who is called by an address or id is not known here by that.
    (mentioned.length === 1 && !mentioned[0].name ? mentioned[0] : null) ??
    (mentioned.length === 1 && handle.includes("@") ? mentioned[0] : null);
  if (!called) return null;
  return el("bdi", { class: ["chat-mention", called.id === me && "me"] }, written);
}
