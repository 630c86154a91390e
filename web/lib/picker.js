/** Choosing people by name, or by a whole e-mail address where that means somebody. */

import { api } from "./api.js";
import { bdi, el, freshId, icon, reconcile } from "./dom.js";
import { describe } from "./forms.js";
import { t } from "./i18n.js";
import { avatar, people } from "./people.js";

/** A search counts as a look-up, so it waits until one has typed. */
const TYPED_MS = 300;
const FOUND_MAX = "20";
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/u;

/**
 * A field that finds people: `{element, input, chosen}`.
 *
 * `chosen` are `{id, name}`; of an address, which has `address: true`, the id is the address. `except`
 * are ids not offered; with `addresses: false` only people one knows can be chosen. As a field of a
 * `form` it shows what is wrong with it below the input.
 */
export function peoplePicker({ except = [], addresses = true, label = t("picker.label"), onchange } = {}) {
  const listId = freshId("people");
  const inputId = freshId("find");
  const chosen = [];
  const chips = el("ul", { class: "picker-chosen", "aria-label": t("picker.chosen"), hidden: true });
  const input = el("input", {
    type: "text",
    id: inputId,
    role: "combobox",
    autocomplete: "off",
    spellcheck: "false",
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": listId,
    "aria-describedby": `${inputId}-error`,
    placeholder: t(addresses ? "picker.placeholder" : "picker.placeholder.known"),
  });
  const list = el("ul", { id: listId, class: "picker-options", role: "listbox", "aria-label": t("picker.people") });
  const note = el("p", { class: "muted small picker-note", role: "status" });
  const element = el(
    "div",
    { class: "picker" },
    el("label", { for: inputId }, label),
    chips,
    input,
    el("p", { class: "error", id: `${inputId}-error`, hidden: true }),
    note,
    list,
  );
  let offered = [];
  let active = -1;
  let turn = 0;
  let timer = null;

  const typed = () => input.value.trim();
  const isAddress = (text) => addresses && EMAIL.test(text);

  /** Find who matches what is typed now; resolves to whether the list is of that text. */
  async function look() {
    clearTimeout(timer);
    timer = null;
    turn += 1;
    const own = turn;
    const text = typed();
    try {
      const ids = await findPeople(text);
      if (own !== turn) return false;
      const known = new Set([...except, ...chosen.map(({ id }) => id)]);
      offered = ids.filter((id) => !known.has(id)).map((id) => ({ id, name: people.name(id) }));
      if (isAddress(text) && offered.length === 0 && !known.has(text)) {
        offered = [{ id: text, name: text, address: true }];
      }
      const nothing = `picker.${text ? "none" : "nobody"}${addresses ? "" : ".known"}`;
      note.textContent = offered.length > 0 ? "" : t(nothing);
    } catch (error) {
      if (own !== turn) return false;
      offered = [];
      note.textContent = describe(error);
    }
    active = offered.length && text ? 0 : -1;
    draw();
    return true;
  }

  function draw() {
    list.hidden = offered.length === 0;
    input.setAttribute("aria-expanded", String(offered.length > 0));
    reconcile(list, offered, {
      key: ({ id }) => id,
      make: (person) => {
        const option = el(
          "li",
          { role: "option", id: freshId("option") },
          person.address ? el("span", { class: "picker-sign muted" }, icon("send", { size: 18 })) : avatar(person.id, { size: 32 }),
          el(
            "span",
            { class: "grow cut" },
            bdi(person.name),
            person.address && el("span", { class: "muted small block" }, t("picker.address")),
          ),
        );
        option.addEventListener("pointerdown", (event) => event.preventDefault());
        option.addEventListener("click", () => add(person));
        return option;
      },
    });
    offered.forEach((_, index) =>
      list.children[index].setAttribute("aria-selected", String(index === active)),
    );
    const option = list.children[active];
    if (option) {
      input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }

  function drawChosen() {
    chips.hidden = chosen.length === 0;
    reconcile(chips, chosen, {
      key: ({ id }) => id,
      make: (person) =>
        el(
          "li",
          {},
          bdi(person.name, { class: "cut" }),
          el(
            "button",
            {
              type: "button",
              class: "icon-button small",
              "aria-label": t("picker.remove", { name: person.name }),
              onclick: () => remove(person),
            },
            icon("close", { size: 14 }),
          ),
        ),
    });
    onchange?.(chosen);
  }

  function add(person) {
    chosen.push(person);
    input.value = "";
    drawChosen();
    input.focus();
    look();
  }

  function remove(person) {
    chosen.splice(chosen.indexOf(person), 1);
    drawChosen();
    input.focus();
    look();
  }

  /** Choose who is marked; who has typed on since is answered with who matches that. */
  async function take() {
    if (active >= 0) add(offered[active]);
    else if (isAddress(typed())) add({ id: typed(), name: typed(), address: true });
    else if (timer !== null && typed() && (await look()) && active >= 0) add(offered[active]);
  }

  input.addEventListener("input", () => {
    // What is listed was found for another text: Enter must not choose from it.
    turn += 1;
    active = -1;
    draw();
    clearTimeout(timer);
    timer = setTimeout(look, TYPED_MS);
  });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && offered.length) {
      event.preventDefault();
      active = (active + step + offered.length) % offered.length;
      draw();
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.isComposing) {
      event.preventDefault();
      take();
    } else if (event.key === "Backspace" && !input.value && chosen.length) remove(chosen.at(-1));
  });
  look();
  return { element, input, chosen };
}

/** The ids of those who match a text; an empty one finds everyone one knows. */
export async function findPeople(text) {
  const { items } = await api.get("/api/v1/users", { q: text, limit: FOUND_MAX });
  for (const person of items) people.learn(person);
  return items.map(({ id }) => id);
}
