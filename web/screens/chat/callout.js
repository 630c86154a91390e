/** The list of people that opens at an `@` in a text, and what a choice puts there. */

import { announce, bdi, el, freshId, reconcile } from "../../lib/dom.js";
import { avatar } from "../../lib/people.js";
import { foldName, handleOf } from "./text.js";

const SHOWN = 6;
const CALL = /(?:^|[\s(])@([^\s@]{0,40})$/u;

/**
 * Offer people in `input`; `people()` returns `{id, name}` of those who can be called.
 *
 * Returns `{element, key(event), update(), close()}`; `key` says whether it took the key.
 */
export function callout({ t, input, people }) {
  const listId = freshId("call");
  const element = el("ul", {
    id: listId,
    class: "menu chat-call",
    role: "listbox",
    "aria-label": t("mention.title"),
    hidden: true,
  });
  let found = [];
  let chosen = 0;
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", listId);

  function update() {
    const before = input.value.slice(0, input.selectionStart);
    const match = input.selectionStart === input.selectionEnd ? CALL.exec(before) : null;
    if (!match) return close();
    const wanted = foldName(match[1]);
    const ranked = people()
      .filter(({ name }) => name && handleOf(name))
      .map((person) => ({ ...person, at: foldName(person.name).replace(/\s+/gu, "").indexOf(wanted) }))
      .filter(({ at }) => at >= 0)
      .sort((one, other) => one.at - other.at || one.name.localeCompare(other.name))
      .slice(0, SHOWN);
    if (ranked.length === 0) return close();
    const wasOpen = found.length > 0;
    found = ranked;
    chosen = Math.min(wasOpen ? chosen : 0, found.length - 1);
    draw();
    if (!wasOpen) announce(t("mention.count", { count: found.length }));
  }

  function draw() {
    element.hidden = found.length === 0;
    reconcile(element, found, {
      key: ({ id }) => id,
      make: (person) => {
        const option = el(
          "li",
          { role: "option", id: freshId("person") },
          avatar(person.id, { size: 28 }),
          bdi(person.name, { class: "cut" }),
        );
        option.addEventListener("pointerdown", (event) => event.preventDefault());
        option.addEventListener("click", () => put(person));
        return option;
      },
    });
    found.forEach((_, index) => {
      element.children[index].setAttribute("aria-selected", String(index === chosen));
    });
    const active = element.children[chosen];
    if (active) input.setAttribute("aria-activedescendant", active.id);
    else input.removeAttribute("aria-activedescendant");
  }

  function put(person) {
    const at = input.selectionStart;
    const start = input.value.lastIndexOf("@", at - 1);
    input.setRangeText(`@${handleOf(person.name)} `, start, at, "end");
    close();
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.focus();
  }

  function close() {
    if (found.length === 0) return;
    found = [];
    draw();
  }

  function key(event) {
    if (found.length === 0) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      chosen = (chosen + step + found.length) % found.length;
      draw();
    } else if (event.key === "Enter" || event.key === "Tab") put(found[chosen]);
    else if (event.key === "Escape") close();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  return { element, key, update, close };
}
