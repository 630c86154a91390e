/** A card that answers the challenge one types, and what it has answered before. */

import { bdi, el } from "../../lib/dom.js";
import { field, form } from "../../lib/forms.js";
import { listView } from "../../lib/listview.js";

export function motivationPart(ctx, diary) {
  const { t, format } = ctx;
  const answer = el("blockquote", { class: "diary-motivation", dir: "auto", hidden: true, role: "status" });
  const asking = form({
    fields: [
      field({ name: "challenge", label: t("challenge"), required: true, dir: "auto" }),
      field({ name: "stress", label: t("stress"), type: "range", min: "1", max: "10", value: "5" }),
    ],
    names: { current_challenge: "challenge", stress_level: "stress" },
    action: t("motivate"),
    attributes: { class: "stack" },
    submit: ({ challenge, stress }) => diary.motivate(challenge, Number(stress)),
    done({ motivation_text: text }) {
      answer.hidden = false;
      answer.textContent = text;
    },
  });
  const earlier = el("details", { class: "diary-more" }, el("summary", {}, t("motivations")));
  let list = null;

  function row({ motivation_text: text, current_challenge: challenge, stress_level: stress, created_at: at }) {
    return el(
      "li",
      { class: "diary-earlier" },
      el("p", { class: "muted small" }, format.ago(at), " · ", t("motivation.stress", { stress }), challenge && [" · ", bdi(challenge)]),
      el("p", { class: "diary-text", dir: "auto" }, text),
    );
  }

  // They are read when one wants to see them, not whenever the diary is opened.
  earlier.addEventListener("toggle", () => {
    if (!earlier.open || list) return;
    list = listView(ctx, {
      load: (after) => diary.motivations(after),
      key: ({ id }) => id,
      make: row,
      label: t("motivations"),
      empty: { text: t("motivations.none") },
      skeleton: 2,
    });
    earlier.append(list.element);
    list.reload();
  });
  diary.addEventListener("motivated", ({ detail }) => {
    if (!list || list.items.some(({ id }) => id === detail.id)) return;
    list.show([detail, ...list.items]);
  });
  diary.addEventListener("cleared", () => list?.reload());
  return {
    element: el("section", { class: "card" }, el("h2", {}, t("motivation")), asking.element, answer, earlier),
    reload: () => list?.reload(),
    dispose: () => list?.dispose(),
  };
}
