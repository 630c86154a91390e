/** The entries of a day, and writing one with a mood. */

import { el, reconcile } from "../../lib/dom.js";
import { kept } from "../../lib/session.js";
import { entryForm } from "./entryform.js";
import { entryRows } from "./entryrows.js";
import { answeredOrWaiting } from "./sending.js";
import { stepped } from "./stepped.js";

/** What is written and not sent survives a reload of the page; it ends with the session. */
const DRAFT = "diary draft";

export function entriesPart(ctx, diary) {
  const { t } = ctx;
  const list = el("ol", { class: "diary-entries", "aria-label": t("entries") });
  const rows = entryRows(ctx, diary, {});
  const writing = entryForm(ctx, {
    action: t("save"),
    attributes: { class: "diary-compose", "aria-label": t("entry.new") },
    changed: keep,
    async submit(values) {
      const sent = diary.create("create_entry", { ...values, date: diary.day }, "entry");
      return answeredOrWaiting(ctx, sent);
    },
    done() {
      const focused = writing.element.contains(document.activeElement);
      writing.fill(null);
      keep();
      open(false);
      if (focused) writing.element.querySelector("input").focus();
    },
  });
  // What takes room is there once one writes; it stays until that is sent, so that nothing moves away under a press.
  const open = (wanted) => writing.element.classList.toggle("open", wanted);
  writing.element.querySelector("textarea").addEventListener("focus", () => open(true));
  if (kept.get(DRAFT)) writing.fill(kept.get(DRAFT));
  open(!writing.isEmpty());

  function keep() {
    kept.set(DRAFT, writing.isEmpty() ? null : writing.values());
    if (!writing.isEmpty()) open(true);
  }

  // Who was changing an entry that is deleted elsewhere keeps what was written, as a new one.
  diary.addEventListener("gone", ({ detail: { id } }) => {
    const values = rows.take(id);
    if (!values) return;
    ctx.toast(t("entry.gone"));
    if (!writing.isEmpty()) return;
    writing.fill(values);
    keep();
  });

  const more = stepped(ctx, draw);

  function draw() {
    const { entriesOfDay, day, today } = diary;
    // Nothing is written of a day that is still to come.
    writing.element.hidden = day > today;
    reconcile(list, more.cut(entriesOfDay, diary.cut.has("entries")), { key: ({ id }) => id, ...rows });
  }

  return {
    element: el("section", { class: "card" }, el("h2", {}, t("mood.question")), writing.element, list, more.element),
    draw,
  };
}
