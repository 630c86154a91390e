/** An entry in a list: shown, changed in its place, deleted. */

import { confirmDialog } from "../../lib/dialog.js";
import { bdi, el } from "../../lib/dom.js";
import { describe } from "../../lib/forms.js";
import { changing } from "./changing.js";
import { entryForm } from "./entryform.js";
import { inPlace, neighbour, rowButton } from "./inplace.js";
import { face } from "./moods.js";

/** The rows of a list of entries; `heading(entry)` may stand above the text. */
export function entryRows(ctx, diary, { heading } = {}) {
  const { t } = ctx;
  const rows = inPlace({
    base: "diary-entry",
    current: (id) => diary.entry(id),
    show(node, entry) {
      const { id, text, mood, tags } = entry;
      node.className = "diary-entry";
      node.replaceChildren(
        ...[
          mood && face(mood, { label: t(`mood.${mood}`) }),
          el(
            "div",
            { class: "grow" },
            heading?.(entry),
            el("p", { class: "diary-text", dir: "auto" }, text),
            el("p", { class: "muted small" }, ctx.format.clock(entry.created_at), tags.map((tag) => [" ", bdi(`#${tag}`)])),
          ),
          rowButton("edit", t("entry.edit"), () => rows.edit(node, id)),
          rowButton("trash", t("entry.delete"), () => remove(node, entry)),
        ].filter(Boolean),
      );
    },
    build: ({ item, close }) =>
      changing(ctx, diary, {
        kind: "entry",
        item,
        close,
        label: t("entry.edit"),
        make: (options) => entryForm(ctx, options),
        fields: { text: t("entry.text"), mood: t("chart.mood"), tags: t("entry.tags") },
        say: (name, value) => (name === "mood" ? value && t(`mood.${value}`) : name === "tags" ? value.join(", ") : value),
      }),
  });

  async function remove(node, { id, text }) {
    const wanted = await confirmDialog({ title: t("entry.delete.title"), text: text.slice(0, 120), action: t("delete"), danger: true });
    if (!wanted) return;
    const onward = neighbour(node, "trash");
    try {
      await diary.remove("entry", id);
      rows.forget(id);
      onward();
    } catch (error) {
      ctx.toast(describe(error), { kind: "error" });
    }
  }

  return rows;
}
