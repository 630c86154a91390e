/** Reactions: the row of emoji to choose from, and how one flies up where it arrives. */

import { bdi, calm, el } from "../../lib/dom.js";
import { describe } from "../../lib/forms.js";
import { roving } from "../../lib/keys.js";
import { Stories } from "./data.js";

/** The row under a card and in the viewer; the reader's reaction is pressed. */
export function reactionRow(ctx, stories, story) {
  const { id } = story;
  const react = (emoji) =>
    stories.react(id, emoji).catch((error) => ctx.toast(describe(error), { kind: "error" }));
  const row = el(
    "div",
    { class: "stories-reactions", role: "group", "aria-label": ctx.t("reactions") },
    Stories.REACTIONS.map((emoji) =>
      el(
        "button",
        { type: "button", class: "stories-reaction", dataset: { emoji }, onclick: () => react(emoji) },
        emoji,
      ),
    ),
  );
  markReaction(ctx, row, story);
  roving(row, ".stories-reaction", { direction: "horizontal" });
  return row;
}

/** Show in a row which reaction is set. */
export function markReaction(ctx, row, { myReaction }) {
  for (const button of row.querySelectorAll(".stories-reaction")) {
    const { emoji } = button.dataset;
    button.setAttribute("aria-pressed", String(emoji === myReaction));
    button.setAttribute("aria-label", ctx.t(emoji === myReaction ? "unreact" : "react", { emoji }));
  }
}

/** Let an emoji float up once, over the viewer or the page. */
export function fly(emoji) {
  if (calm()) return;
  const place = document.querySelector("dialog.stories-viewer[open]") ?? document.body;
  const flying = el("span", { class: "stories-flying", "aria-hidden": "true" }, bdi(emoji));
  flying.addEventListener("animationend", () => flying.remove());
  place.append(flying);
}
