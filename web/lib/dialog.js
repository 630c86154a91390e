/** Dialogs over the page: the browser's own `<dialog>` keeps focus inside and closes on Esc. */

import { el, freshId, icon } from "./dom.js";
import { t } from "./i18n.js";

/**
 * Open a dialog with a title and `content`; returns `{element, close, closed}`.
 *
 * `closed` resolves to what `close(value)` was called with, or undefined after Esc. The focus goes
 * back to where it was. `kind` may be `sheet` (from the bottom on a phone) or `full`.
 */
export function openDialog({ title, content, actions = [], kind = "", closable = true }) {
  const before = document.activeElement;
  const titleId = freshId("dialog");
  let settle;
  const closed = new Promise((resolve) => {
    settle = resolve;
  });
  let value;
  const close = (result) => {
    value = result;
    element.close();
  };
  const element = el(
    "dialog",
    { class: ["dialog", kind], "aria-labelledby": titleId },
    el(
      "header",
      { class: "dialog-head" },
      el("h2", { id: titleId }, title),
      closable &&
        el(
          "button",
          { type: "button", class: "icon-button", "aria-label": t("close"), onclick: () => close() },
          icon("close"),
        ),
    ),
    el("div", { class: "dialog-body" }, content),
    actions.length > 0 && el("footer", { class: "dialog-foot" }, actions),
  );
  element.addEventListener("close", () => {
    element.remove();
    before?.isConnected && before.focus();
    settle(value);
  });
  // A press outside the dialog closes it, one that began inside it does not.
  element.addEventListener("pointerdown", (event) => {
    if (event.target === element && closable && outside(element, event)) close();
  });
  document.body.append(element);
  element.showModal();
  return { element, close, closed };
}

/** Ask before something is done; resolves to true when it is wanted. */
export function confirmDialog({ title, text, action, danger = false }) {
  const yes = el("button", { type: "button", class: danger ? "danger" : "primary" }, action);
  const no = el("button", { type: "button", class: "quiet" }, t("cancel"));
  const dialog = openDialog({ title, content: el("p", { dir: "auto" }, text), actions: [no, yes] });
  yes.addEventListener("click", () => dialog.close(true));
  no.addEventListener("click", () => dialog.close(false));
  no.focus();
  return dialog.closed.then(Boolean);
}

function outside(element, { clientX, clientY }) {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
}
