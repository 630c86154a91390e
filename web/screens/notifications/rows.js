/** One notification as a row: it opens what it is about, and is put away by button, key or swipe. */

import { bdi, el, icon, setText } from "../../lib/dom.js";
import { symbolOf } from "./data.js";
import { onSwipe } from "./swipe.js";

/** Build a row; `open(item)` and `archive(item)` are what the reader may do. */
export function rowOf(ctx, item, { open, archive }) {
  const { t, format } = ctx;
  const row = el("li", { class: "notifications-row" });
  const body = el(
    "button",
    { type: "button", class: "notifications-open grow", "aria-keyshortcuts": item.archived ? null : "Delete", onclick: () => open(row.item) },
    el("span", { class: "notifications-symbol" }, icon(symbolOf(item.type), { size: 20 })),
    el(
      "span",
      { class: "notifications-text" },
      el(
        "span",
        { class: "notifications-title" },
        el("strong", {}, bdi(item.title)),
        el("span", { class: "notifications-dot", hidden: true }, el("span", { class: "unseen" }, t("unread"))),
      ),
      el("span", { class: "muted" }, bdi(item.message)),
      el("span", { class: "muted small" }, format.ago(item.created_at)),
    ),
  );
  const card = el(
    "div",
    { class: "notifications-card" },
    body,
    !item.archived &&
      el(
        "button",
        { type: "button", class: "icon-button notifications-archive", "aria-label": t("archive", { title: item.title }), onclick: () => archive(row.item) },
        icon("archive"),
      ),
  );
  row.append(el("h2", { class: "notifications-day", hidden: true }), el("div", { class: "notifications-slot" }, card));
  if (!item.archived) {
    row.querySelector(".notifications-slot").prepend(el("span", { class: "notifications-behind", "aria-hidden": "true" }, icon("archive")));
    onSwipe(card, () => archive(row.item));
  }
  return row;
}

/** Bring a row up to date; `before` is the item above it. */
export function updateRow(ctx, row, item, before) {
  const { format } = ctx;
  row.item = item;
  row.classList.toggle("unread", !item.read);
  row.querySelector(".notifications-dot").hidden = item.read;
  const day = format.day(item.created_at);
  const title = row.querySelector(".notifications-day");
  title.hidden = before !== undefined && format.day(before.created_at) === day;
  setText(title, day);
}
