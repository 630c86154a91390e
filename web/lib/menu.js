/** A menu that a button opens: arrows move, Esc and a press elsewhere close. */

import { el, icon } from "./dom.js";
import { roving } from "./keys.js";

/**
 * Give `button` a menu. `items()` returns `{label, icon?, run, danger?, checked?}` or null (a line);
 * `toggled(open)` hears when it opens and closes.
 */
export function menuOf(button, items, { toggled } = {}) {
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  let open = null;

  const close = ({ focus = true } = {}) => {
    if (!open) return;
    // While it is expanded: a bar that shows only then can still take the focus.
    if (focus) button.focus();
    open.remove();
    open = null;
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", away, true);
    removeEventListener("resize", follow);
    toggled?.(false);
  };
  const away = ({ target }) => {
    if (!open.contains(target) && !button.contains(target)) close({ focus: false });
  };
  /** Stay at the button, also when the window is turned. */
  const follow = () => place(open, button);
  const show = () => {
    open = el("div", { class: "menu", role: "menu", popover: "manual" }, items().map(line));
    open.addEventListener("keydown", (event) => {
      if (event.key === "Escape" || event.key === "Tab") {
        if (event.key === "Escape") event.preventDefault();
        event.stopPropagation();
        close();
      }
    });
    open.addEventListener("click", ({ target }) => target.closest("[role^=menuitem]") && close());
    // In the landmark of its button, and above everything whatever that one lies beneath.
    (button.closest("dialog, header, main, nav, aside") ?? document.body).append(open);
    open.showPopover?.();
    place(open, button);
    button.setAttribute("aria-expanded", "true");
    roving(open, "[role^=menuitem]", { direction: "vertical" });
    open.querySelector("[role^=menuitem]")?.focus();
    document.addEventListener("pointerdown", away, true);
    addEventListener("resize", follow);
    toggled?.(true);
  };
  button.addEventListener("click", () => (open ? close() : show()));
  button.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && !open) {
      event.preventDefault();
      show();
    }
  });
  return { close };
}

function line(item) {
  if (!item) return el("hr", { role: "separator" });
  const checkable = item.checked !== undefined;
  return el(
    "button",
    {
      type: "button",
      role: checkable ? "menuitemcheckbox" : "menuitem",
      "aria-checked": checkable ? String(item.checked) : null,
      class: item.danger && "danger",
      tabindex: -1,
      onclick: item.run,
    },
    item.icon && icon(item.icon, { size: 18 }),
    el("span", {}, item.label),
    item.checked && icon("check", { size: 16 }),
  );
}

/** Put a `menu` beneath or above `button`, inside the window. */
export function place(menu, button) {
  const box = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = box.bottom + 4 + height <= innerHeight || box.top < height;
  const left = Math.max(8, Math.min(box.left, innerWidth - width - 8));
  const aligned = box.left + width > innerWidth - 8 ? box.right - width : left;
  menu.style.setProperty("top", `${Math.max(8, below ? box.bottom + 4 : box.top - height - 4)}px`);
  menu.style.setProperty("left", `${Math.max(8, aligned)}px`);
}
