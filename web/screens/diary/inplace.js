/** Rows of a list whose thing is changed in its place. */

import { el, icon } from "../../lib/dom.js";

/**
 * Build them: `{make, update, edit, take, forget}`; `make` and `update` are as `reconcile` takes them.
 *
 *   `base` is the class of a row.
 *   `current(id)` is the thing as it is known now, or undefined.
 *   `show(node, item)` draws a row that is not being changed.
 *   `state(item)` is what a drawn row depends on: it is drawn anew only when that has changed.
 *   `build({item, close})` makes the form `{element, focus, values}` of a change.
 *
 * What was typed stays when the row goes, and is there when it comes back. Esc leaves the change.
 */
export function inPlace({ base = "", current, show, state = ({ version }) => version, build }) {
  const forms = new Map();

  function make(item) {
    const node = el("li", {});
    const form = forms.get(item.id);
    if (form) hold(node, form);
    else draw(node, item);
    return node;
  }

  function update(node, item) {
    if (forms.has(item.id) || node.dataset.state === String(state(item))) return;
    draw(node, item);
  }

  /** What has the focus by its `data-does` keeps it. */
  function draw(node, item) {
    const focused = node.contains(document.activeElement) && document.activeElement.dataset.does;
    node.dataset.state = state(item);
    show(node, item);
    if (focused) focusOn(node, focused);
  }

  function hold(node, form) {
    node.className = `${base} diary-editing`;
    node.replaceChildren(form.element);
  }

  function edit(node, id) {
    const item = current(id);
    if (!item) return;
    const close = () => {
      forms.delete(id);
      const now = current(id);
      // The row may have been made anew meanwhile.
      const row = form.element.parentElement;
      if (!now || !row?.isConnected) return;
      draw(row, now);
      focusOn(row, "edit");
    };
    const form = build({ item, close });
    form.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      event.stopPropagation();
      close();
    });
    forms.set(id, form);
    hold(node, form);
    form.focus();
  }

  /** What was typed of a thing that is gone: `values()` of its form, or undefined. */
  function take(id) {
    const form = forms.get(id);
    forms.delete(id);
    return form?.values();
  }

  return { make, update, edit, take, forget: (id) => forms.delete(id) };
}

/** A small button of a row; `does` says what for, and is its icon. */
export function rowButton(does, label, run) {
  return el(
    "button",
    { type: "button", class: "icon-button small", "aria-label": label, dataset: { does }, onclick: run },
    icon(does, { size: 18 }),
  );
}

/** Where the focus goes when a row with it leaves: the same button of its neighbour. */
export function neighbour(node, does) {
  const next = node.nextElementSibling ?? node.previousElementSibling;
  return () => next && focusOn(next, does);
}

function focusOn(node, does) {
  node.querySelector(`[data-does="${does}"]`)?.focus();
}
