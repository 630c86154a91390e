/** Short messages for what has no place on screen. */

import { byId, el, icon } from "./dom.js";
import { t } from "./i18n.js";

const SHOWN_MS = 6000;
const MAX = 3;

/**
 * Show `text`; `action` is `{label, run}`. `kind` is `info`, `ok` or `error`.
 *
 * It goes by itself, unless pointer or focus is on it. Returns what takes it away.
 */
export function toast(text, { kind = "info", action } = {}) {
  const place = byId("toasts");
  let timer;
  const close = () => {
    clearTimeout(timer);
    element.remove();
  };
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(close, SHOWN_MS);
  };
  const element = el(
    "div",
    { class: ["toast", `toast-${kind}`] },
    icon(kind === "ok" ? "check" : kind === "error" ? "alert" : "info"),
    el("p", { dir: "auto" }, text),
    action &&
      el(
        "button",
        {
          type: "button",
          class: "quiet",
          onclick: () => {
            close();
            action.run();
          },
        },
        action.label,
      ),
    el(
      "button",
      { type: "button", class: "icon-button small", "aria-label": t("dismiss"), onclick: close },
      icon("close", { size: 16 }),
    ),
  );
  const stay = () => clearTimeout(timer);
  element.addEventListener("pointerenter", stay);
  element.addEventListener("pointerleave", wait);
  element.addEventListener("focusin", stay);
  element.addEventListener("focusout", wait);
  place.append(element);
  while (place.children.length > MAX) place.firstElementChild.remove();
  wait();
  return close;
}
