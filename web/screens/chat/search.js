/** Looking for messages in a conversation; a found one leads to its place. */

import { bdi, el, icon } from "../../lib/dom.js";
import { clock, day, full } from "../../lib/format.js";
import { roving } from "../../lib/keys.js";
import { emptyNote, errorNote } from "../../lib/listview.js";
import { avatar, personName } from "../../lib/people.js";
import { foldName } from "./text.js";
import { summaryOf } from "./names.js";

const TYPED_MS = 250;
/** A find is shown with so much before it. */
const BEFORE = 40;

/** A panel over the messages: `{element, focus, dispose}`. */
export function searchPanel(ctx, { store, id, close, jump }) {
  const { t } = ctx;
  const input = el("input", {
    type: "search",
    placeholder: t("search.placeholder"),
    "aria-label": t("search.placeholder"),
    maxlength: 200,
    enterkeyhint: "search",
  });
  const status = el("div", { class: "chat-search-status", role: "status" });
  const results = el("ul", { class: "chat-found", "aria-label": t("search.results") });
  const more = el("button", { type: "button", class: "quiet wide", hidden: true }, t("search.more"));
  const element = el(
    "div",
    { class: "chat-search", role: "search" },
    el(
      "div",
      { class: "chat-search-bar" },
      icon("search", { size: 18 }),
      input,
      el(
        "button",
        { type: "button", class: "icon-button", "aria-label": t("close"), onclick: close },
        icon("close"),
      ),
    ),
    status,
    results,
    more,
  );
  const settle = roving(results, "button", { direction: "vertical" });
  let turn = 0;
  let before = null;
  let timer = null;

  function begin() {
    turn += 1;
    before = null;
    results.replaceChildren();
    status.replaceChildren();
    more.hidden = true;
    if (input.value.trim()) look();
  }

  async function look() {
    const own = turn;
    const text = input.value.trim();
    more.setAttribute("aria-busy", "true");
    try {
      // A page may be empty while there is more to look through.
      do {
        const page = await store.server.search(id, text, before);
        if (own !== turn) return;
        before = page.before;
        results.append(...page.items.filter((item) => !item.deletedAt).map((item) => found(item, text)));
      } while (before !== null && results.children.length === 0);
      const count = results.children.length;
      if (count === 0) status.replaceChildren(emptyNote({ text: t("search.none"), symbol: "search" }));
      else status.replaceChildren(el("p", { class: "muted small" }, t("search.count", { count })));
      more.hidden = before === null;
      settle();
    } catch (error) {
      if (own === turn) status.replaceChildren(errorNote(error, begin));
    } finally {
      more.removeAttribute("aria-busy");
    }
  }

  function found(message, text) {
    return el(
      "li",
      {},
      el(
        "button",
        {
          type: "button",
          class: "chat-find",
          tabindex: -1,
          onclick: () => {
            close();
            jump(message.seq);
          },
        },
        avatar(message.authorId, { size: 32 }),
        el(
          "span",
          { class: "grow" },
          el(
            "span",
            { class: "chat-find-head" },
            personName(message.authorId, { class: "chat-author" }),
            el(
              "time",
              { datetime: message.createdAt, title: full(message.createdAt), class: "muted small" },
              `${day(message.createdAt)} ${clock(message.createdAt)}`,
            ),
          ),
          el("span", { class: "chat-find-text", dir: "auto" }, marked(summaryOf(ctx, message), text)),
        ),
      ),
    );
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(begin, TYPED_MS);
  });
  more.addEventListener("click", look);
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else if (event.key === "ArrowDown" && event.target === input) {
      event.preventDefault();
      results.querySelector("button")?.focus();
    } else if (event.key === "Enter" && event.target === input) {
      clearTimeout(timer);
      begin();
    }
  });
  return {
    element,
    focus: () => input.focus(),
    dispose() {
      turn += 1;
      clearTimeout(timer);
    },
  };
}

/** The text around what was found, with it marked. */
function marked(text, wanted) {
  const at = foldName(text).indexOf(foldName(wanted));
  // Folding may change lengths: then the text stands unmarked.
  if (at < 0 || foldName(text).length !== text.length) return bdi(text);
  const from = Math.max(0, at - BEFORE);
  return [
    (from > 0 ? "… " : "") + text.slice(from, at),
    el("mark", {}, text.slice(at, at + wanted.length)),
    text.slice(at + wanted.length),
  ];
}
