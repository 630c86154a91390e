/** A list with its four states: loading, empty, error and stale, and its pages. */

import { el, icon, reconcile } from "./dom.js";
import { describe } from "./forms.js";
import { clock } from "./format.js";
import { t } from "./i18n.js";

/** What loads faster than this shows no skeleton: it would only flicker. */
const SKELETON_MS = 150;

/**
 * Build a list.
 *
 * @param ctx the screen's context, for the state of the connection.
 * @param options
 *   `load(after)` resolves to `{items, next}`; `next` (or null) is given back as `after`.
 *   `key(item)`, `make(item)` and `update(node, item)` build and keep the rows.
 *   `empty` is `{text, action?: {label, run}}`; `label` names the list to screen readers.
 *   `skeleton` is how many placeholder rows have the list's real shape (class `skeleton-row`).
 *   `items` (optional) is what holds them elsewhere: `() => items`, for lists that events change.
 *
 * Returns `{element, reload, more, show, items, dispose}`. Call `show(items)` after the items have
 * changed, `reload()` to read anew: the rows stay until the answer is there.
 */
export function listView(ctx, { load, key, make, update, empty, label, skeleton = 4, tag = "ol" }) {
  const rows = el(tag, { class: "list", "aria-label": label });
  const status = el("div", { class: "list-status" });
  const older = el("button", { type: "button", class: "quiet wide", hidden: true }, t("list.more"));
  const element = el("div", { class: "list-view" }, status, rows, older);
  let items = [];
  let next = null;
  let readAt = null;
  let failed = null;
  let turn = 0;
  let loading = false;

  function show(changed = items) {
    items = changed;
    reconcile(rows, items, { key, make, update });
    draw();
  }

  function draw() {
    const away = ["reconnecting", "offline"].includes(ctx.connection.state.kind);
    const stale = away && readAt !== null;
    rows.classList.toggle("stale", stale);
    rows.hidden = items.length === 0;
    older.hidden = next === null || items.length === 0;
    if (failed && !stale) status.replaceChildren(errorNote(failed, reload));
    else if (stale) status.replaceChildren(staleNote(readAt));
    else if (readAt !== null && items.length === 0) status.replaceChildren(emptyNote(empty));
    else status.replaceChildren();
  }

  async function reload() {
    turn += 1;
    const own = turn;
    loading = true;
    failed = null;
    const waiting = setTimeout(() => {
      if (own === turn && items.length === 0) status.replaceChildren(skeletonOf(skeleton));
    }, SKELETON_MS);
    try {
      // What is read once events arrive has no gap before them.
      await ctx.connection.settled();
      const page = await load(null);
      if (own !== turn) return;
      next = page.next ?? null;
      readAt = Date.now();
      items = page.items;
    } catch (error) {
      if (own !== turn) return;
      failed = error;
    } finally {
      clearTimeout(waiting);
      if (own === turn) loading = false;
    }
    show();
  }

  async function more() {
    if (next === null || loading) return;
    const own = turn;
    loading = true;
    older.setAttribute("aria-busy", "true");
    try {
      const page = await load(next);
      if (own !== turn) return;
      const known = new Set(items.map((item) => String(key(item))));
      next = page.next ?? null;
      items = [...items, ...page.items.filter((item) => !known.has(String(key(item))))];
    } catch (error) {
      ctx.toast(describe(error), { kind: "error" });
    } finally {
      if (own === turn) loading = false;
      older.removeAttribute("aria-busy");
    }
    show();
  }

  older.addEventListener("click", more);
  const watch = new IntersectionObserver(
    ([entry]) => entry.isIntersecting && more(),
    { rootMargin: "400px" },
  );
  watch.observe(older);
  const state = () => {
    // What failed for want of a connection is tried again when there is one.
    if (ctx.connection.state.kind === "live" && failed) reload();
    else draw();
  };
  ctx.connection.addEventListener("state", state);

  return {
    element,
    reload,
    more,
    show,
    get items() {
      return items;
    },
    dispose() {
      turn += 1;
      watch.disconnect();
      ctx.connection.removeEventListener("state", state);
    },
  };
}

/** One sentence and the action that fills what is empty. */
export function emptyNote({ text, action, symbol = "empty" }) {
  return el(
    "div",
    { class: "note empty" },
    icon(symbol, { size: 28 }),
    el("p", {}, text),
    action && el("button", { type: "button", onclick: action.run }, action.label),
  );
}

/** What happened, and *Try again*. */
export function errorNote(error, retry) {
  return el(
    "div",
    { class: "note failed", role: "alert" },
    icon("alert", { size: 28 }),
    el("p", {}, describe(error)),
    retry && el("button", { type: "button", onclick: retry }, t("retry")),
  );
}

/** Placeholder rows; screen readers hear "Loading". */
export function skeletonOf(count) {
  const rows = Array.from({ length: count }, () =>
    el("div", { class: "skeleton-row" }, el("span", { class: "disc" }), el("span"), el("span")),
  );
  return el("div", { class: "skeleton", role: "status", "aria-label": t("loading") }, rows);
}

/** When what is shown was read, while the server is away. */
export function staleNote(readAt) {
  return el("p", { class: "as-of" }, t("list.stale", { time: clock(readAt) }));
}
