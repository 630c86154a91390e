/** Forms: fields with labels, the server's refusals in the reader's words, and a pending state. */

import { el, freshId } from "./dom.js";
import { has, t } from "./i18n.js";
import { onSubmitKey } from "./keys.js";

/**
 * A labelled field: `{element, input, name}`.
 *
 * `type` is an input's type, `textarea` or `select` (with `options` `[{value, label}]`); `hint` stands
 * below until there is an error; further `attributes` go to the input.
 */
export function field({ name, label, type = "text", hint, optional, options, ...attributes }) {
  const id = freshId(name);
  const errorId = `${id}-error`;
  const hintId = `${id}-hint`;
  const shared = {
    id,
    name,
    "aria-describedby": [hint && hintId, errorId].filter(Boolean).join(" "),
    ...attributes,
  };
  const input =
    type === "textarea"
      ? el("textarea", shared)
      : type === "select"
        ? el("select", shared, options.map(({ value, label: text }) => el("option", { value }, text)))
        : el("input", { type, ...shared });
  if (type === "select" && attributes.value !== undefined) input.value = attributes.value;
  const element = el(
    "div",
    { class: "field" },
    el("label", { for: id }, label, optional && el("span", { class: "muted" }, ` ${t("optional")}`)),
    input,
    hint && el("p", { class: "hint", id: hintId }, hint),
    el("p", { class: "error", id: errorId, hidden: true }),
  );
  return { element, input, name, label };
}

/**
 * A form of `fields` that runs `submit(values)`; returns `{element, fail, reset}`.
 *
 * Errors go under the field that they are about; of other fields, and in general, above the button.
 * `names` maps the server's field names to those of the form where they differ. `layout` is what is
 * shown, where that is more than the fields in their order. Ctrl+Enter and ⌘+Enter submit from every
 * field.
 */
export function form({ fields, layout, submit, action, names = {}, extra = [], done, attributes = {} }) {
  const general = el("p", { class: "error", role: "alert", hidden: true });
  const button = el("button", { type: "submit", class: "primary" }, action);
  const row = el("div", { class: "row end" }, extra, button);
  const element = el(
    "form",
    { novalidate: true, ...attributes },
    layout ?? fields.map((entry) => entry.element),
    general,
    row,
  );

  function clear() {
    say(general, "");
    for (const { input } of fields) {
      input.removeAttribute("aria-invalid");
      say(errorOf(input), "");
    }
  }

  function fail(error) {
    clear();
    const rest = [];
    let first = null;
    for (const [name, messages] of Object.entries(error.fields ?? {})) {
      const known = fields.find((entry) => entry.name === (names[name] ?? name));
      if (!known) {
        rest.push(sentences(messages));
        continue;
      }
      known.input.setAttribute("aria-invalid", "true");
      say(errorOf(known.input), sentences(messages));
      first ??= known.input;
    }
    const placed = first !== null && rest.length === 0;
    if (!placed) say(general, rest.length ? rest.join(" ") : describe(error));
    (first ?? button).focus();
  }

  async function run() {
    if (button.getAttribute("aria-busy")) return;
    clear();
    const missing = fields.find(({ input }) => input.required && !input.value.trim());
    if (missing) {
      const required = t("field.required", { field: missing.label });
      return fail({ fields: { [missing.name]: required } });
    }
    const values = Object.fromEntries(fields.map(({ name, input }) => [name, valueOf(input)]));
    try {
      const result = await busy(button, () => submit(values));
      done?.(result);
    } catch (error) {
      fail(error);
    }
  }

  element.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  onSubmitKey(element, run);
  return { element, button, fail, clear, reset: () => (element.reset(), clear()) };
}

/** Run `work` with the button marked busy, so that a second press does not do it twice. */
export async function busy(button, work) {
  button.setAttribute("aria-busy", "true");
  button.setAttribute("aria-disabled", "true");
  try {
    return await work();
  } finally {
    button.removeAttribute("aria-busy");
    button.removeAttribute("aria-disabled");
  }
}

/** An error in the reader's words: those of its code, else the server's own message. */
export function describe(error) {
  const wait = error.retryAfter
    ? ` ${t("error.wait", { seconds: Math.ceil(error.retryAfter) })}`
    : "";
  const key = `error.${error.code}`;
  return (has(key) ? t(key) : error.message || t("error.unknown")) + wait;
}

/** Messages come as a text, a list, or by index of a list's element. */
export function sentences(messages) {
  if (typeof messages === "string") return inWords(messages);
  if (Array.isArray(messages)) return messages.map(sentences).join(" ");
  return Object.values(messages ?? {}).map(sentences).join(" ");
}

/** What the server says of any field, by what it begins with, and the page's words for it. */
const SENTENCES = [
  [/^Must have at least (\d+) characters/, "field.min"],
  [/^Must have at most (\d+) characters/, "field.max"],
  [/^(Must not be empty|Write something)/, "field.empty"],
  [/^(Missing data for required field|Field may not be null)/, "field.missing"],
  [/^Not a valid email/, "field.email"],
  [/^Characters that change the direction/, "field.direction"],
  [/^Line breaks and control characters/, "field.lines"],
  [/^More than \d+ combining marks/, "field.marks"],
];

function inWords(sentence) {
  for (const [pattern, key] of SENTENCES) {
    const found = pattern.exec(sentence);
    if (found) return t(key, { count: Number(found[1]) || 0 });
  }
  return sentence;
}

function valueOf(input) {
  if (input.type === "checkbox") return input.checked;
  return input.type === "password" ? input.value : input.value.trim();
}

function errorOf(input) {
  return document.getElementById(`${input.id}-error`) ?? input.closest(".field").querySelector(".error");
}

function say(element, text) {
  element.textContent = text;
  element.hidden = !text;
}
