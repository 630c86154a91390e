/** A long list in steps: what is not asked for is not drawn. */

import { el } from "../../lib/dom.js";

const STEP = 100;

/** `cut(items, partial)` returns what to draw; `partial`: there is more than was read. */
export function stepped({ t, format }, draw) {
  let limit = STEP;
  const button = el("button", {
    type: "button",
    class: "quiet wide",
    onclick() {
      limit += STEP;
      draw();
    },
  });
  const note = el("p", { class: "muted small", hidden: true });
  return {
    element: el("div", {}, button, note),
    cut(items, partial) {
      const left = items.length - limit;
      button.hidden = left <= 0;
      button.textContent = t("show.more", { count: Math.max(0, left) });
      note.hidden = !partial || left > 0;
      note.textContent = t("show.partial", { count: format.number(items.length) });
      return items.slice(0, limit);
    },
  };
}
