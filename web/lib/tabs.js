/** Tabs: one is shown, arrows move among them. */

import { el, freshId } from "./dom.js";
import { roving } from "./keys.js";

/**
 * Build tabs of `items` `{id, label, panel}`; returns `{element, select}`.
 *
 * `chosen(id)` is called with each choice. Panels are elements; only the chosen one is shown.
 */
export function tabs(items, { label, selected = items[0]?.id, chosen } = {}) {
  const buttons = items.map((item) => {
    item.panel.id ||= freshId("panel");
    const button = el(
      "button",
      { type: "button", role: "tab", id: freshId("tab"), "aria-controls": item.panel.id },
      item.label,
    );
    item.panel.setAttribute("role", "tabpanel");
    item.panel.setAttribute("aria-labelledby", button.id);
    button.addEventListener("click", () => select(item.id));
    return button;
  });
  const list = el("div", { class: "tabs", role: "tablist", "aria-label": label }, buttons);
  const element = el("div", {}, list, items.map((item) => item.panel));
  const settle = roving(list, "[role=tab]", {
    direction: "horizontal",
    moved: (button) => button.click(),
  });

  function select(id) {
    items.forEach((item, index) => {
      const on = item.id === id;
      buttons[index].setAttribute("aria-selected", String(on));
      buttons[index].tabIndex = on ? 0 : -1;
      item.panel.hidden = !on;
    });
    settle();
    chosen?.(id);
  }
  select(selected);
  return { element, select };
}
