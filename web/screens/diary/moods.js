/** Five drawn faces, from very bad to very good, and choosing one of them or none. */

import { el, freshId, svg } from "../../lib/dom.js";
import { MOODS } from "./data.js";

const MOUTHS = ["M8 17q4-5 8 0", "M8 16q4-2.5 8 0", "M8 15.5h8", "M8 14.5q4 3 8 0", "M7.5 13.5q4.5 6.5 9 0"];

export function face(mood, { label, size = 32 } = {}) {
  return svg(
    "svg",
    { viewBox: "0 0 24 24", width: size, height: size, class: `diary-face mood-${mood}`, role: label ? "img" : null, "aria-label": label, "aria-hidden": label ? null : "true" },
    svg("circle", { cx: 12, cy: 12, r: 10 }),
    svg("circle", { cx: 9, cy: 10, r: 1, class: "eye" }),
    svg("circle", { cx: 15, cy: 10, r: 1, class: "eye" }),
    svg("path", { d: MOUTHS[mood - 1] }),
  );
}

/** The faces to choose from: `{element, value(), set(mood)}`; null is none. */
export function moodGroup({ t }, { label = t("mood.question"), changed } = {}) {
  const name = freshId("mood");
  const inputs = MOODS.map((mood) => el("input", { type: "radio", name, value: String(mood), class: "unseen", "aria-label": t(`mood.${mood}`), onchange: tell }));
  const none = el("button", { type: "button", class: "quiet small diary-no-mood", hidden: true, onclick: clear }, t("mood.none"));
  const faces = el(
    "div",
    { class: "diary-moods", role: "radiogroup", "aria-label": label },
    inputs.map((input, n) => el("label", { title: t(`mood.${n + 1}`) }, input, face(n + 1, { size: 40 }))),
  );

  function value() {
    return Number(inputs.find((input) => input.checked)?.value) || null;
  }

  function tell() {
    none.hidden = value() === null;
    changed?.();
  }

  function clear() {
    set(null);
    changed?.();
    inputs[0].focus();
  }

  function set(mood) {
    for (const input of inputs) input.checked = Number(input.value) === mood;
    none.hidden = mood === null;
  }

  return { element: el("div", { class: "row diary-mood" }, faces, none), value, set };
}
