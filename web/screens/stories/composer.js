/** Writing a story: its text, and who may see it, picked by name. */

import { el } from "../../lib/dom.js";
import { field, form } from "../../lib/forms.js";
import { openDialog } from "../../lib/dialog.js";
import { peoplePicker } from "../../lib/picker.js";
import { kept } from "../../lib/session.js";
import { TEXT_MAX } from "./data.js";

const DRAFT = "stories.draft";

/** Open the composer; returns `{close}`, and calls `closed` when it is gone. */
export function openComposer(ctx, { outbox, closed }) {
  const { t } = ctx;
  let audience = null;
  const text = field({
    name: "text",
    label: t("compose.text"),
    type: "textarea",
    required: true,
    rows: "5",
    maxlength: String(TEXT_MAX),
    placeholder: t("compose.placeholder"),
    dir: "auto",
  });
  text.input.value = kept.get(DRAFT) ?? "";
  text.input.addEventListener("input", () => kept.set(DRAFT, text.input.value));
  const picker = peoplePicker({
    label: t("audience.find"),
    addresses: false,
    except: [String(ctx.session.user.id)],
  });
  picker.element.hidden = true;
  const choices = [false, true].map((chosen) =>
    el(
      "button",
      {
        type: "button",
        "aria-pressed": String(!chosen),
        onclick: () => {
          audience = chosen ? picker.chosen : null;
          picker.element.hidden = !chosen;
          choices.forEach((choice, n) => choice.setAttribute("aria-pressed", String(Boolean(n) === chosen)));
          if (chosen) picker.input.focus();
        },
      },
      t(chosen ? "chosen" : "everyone"),
    ),
  );
  const who = {
    name: "audience",
    input: picker.input,
    label: t("audience"),
    element: el(
      "div",
      { class: "stack" },
      el("div", { class: "segments", role: "group", "aria-label": t("audience") }, choices),
      picker.element,
    ),
  };
  const composing = form({
    fields: [text, who],
    names: { audience_user_ids: "audience" },
    action: t("compose.post"),
    attributes: { class: "stories-composer stack" },
    async submit(values) {
      if (audience && audience.length === 0) {
        throw Object.assign(new Error(""), { fields: { audience: [t("audience.empty")] } });
      }
      return outbox.post({ text: values.text.trim(), audience: audience?.map(({ id }) => id) ?? null });
    },
    done: (outcome) => {
      kept.set(DRAFT, "");
      // What waits stands in the feed, and says so there.
      if (outcome === "posted") ctx.toast(t("compose.posted"), { kind: "ok" });
      else ctx.announce(t("waiting"));
      dialog.close();
    },
  });
  const dialog = openDialog({ title: t("compose"), content: composing.element, kind: "sheet" });
  dialog.closed.then(closed);
  text.input.focus();
  return { close: () => dialog.close() };
}
