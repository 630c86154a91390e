/** The form of an entry: mood, text and tags. */

import { field, form } from "../../lib/forms.js";
import { moodGroup } from "./moods.js";

/**
 * Build it: `{element, values(), fill(entry), focus(), fail(error), isEmpty()}`.
 *
 * `submit({text, mood, tags})` is called with what the server takes; `mood` is null for none.
 */
export function entryForm(ctx, { action, submit, done, extra, changed, attributes = {} }) {
  const { t } = ctx;
  const mood = moodGroup(ctx, { changed });
  const text = field({ name: "text", label: t("entry.text"), type: "textarea", rows: "2", required: true, placeholder: t("entry.placeholder"), dir: "auto" });
  const tags = field({ name: "tags", label: t("entry.tags"), hint: t("entry.tags.hint"), dir: "auto", autocomplete: "off" });
  const values = () => ({ text: text.input.value.trim(), mood: mood.value(), tags: tagsIn(tags.input.value) });
  const made = form({
    fields: [text, tags],
    layout: [mood.element, text.element, tags.element],
    action,
    extra,
    attributes: { ...attributes, class: ["stack diary-entry-form", attributes.class].filter(Boolean).join(" ") },
    submit: () => submit(values()),
    done,
  });
  made.element.addEventListener("input", () => changed?.());
  return {
    element: made.element,
    fail: made.fail,
    values,
    fill(entry) {
      made.reset();
      text.input.value = entry?.text ?? "";
      tags.input.value = entry?.tags?.join(", ") ?? "";
      mood.set(entry?.mood ?? null);
    },
    focus: () => text.input.focus(),
    isEmpty: () => !text.input.value && !tags.input.value && mood.value() === null,
  };
}

/** Words between commas; of a line without one, those between blanks that begin with "#". */
export function tagsIn(line) {
  const words = /[,\n]/.test(line) ? line.split(/[,\n]/u) : line.split(/\s+(?=#)/u);
  return words.map((tag) => tag.trim().replace(/^#/, "").trim()).filter(Boolean);
}
