/** What every form does alike: read its fields, and show what the server found wrong with them. */

import { byId } from "./dom.js";

/** Show `text` in the message element `id`, or hide that when there is none. */
export function message(id, text) {
  const element = byId(id);
  element.textContent = text ?? "";
  element.hidden = !text;
}

/** Put the server's messages under their fields, and everything else into `generalId`. */
export function showError(form, error, generalId) {
  clearErrors(form, generalId);
  const unplaced = [];
  for (const [field, messages] of Object.entries(error.fields ?? {})) {
    const input = form.elements[field];
    if (input && byId(`${field}-error`)) {
      input.setAttribute("aria-invalid", "true");
      message(`${field}-error`, sentences(messages));
    } else {
      unplaced.push(`${field}: ${sentences(messages)}`);
    }
  }
  const placedAll = Object.keys(error.fields ?? {}).length > 0 && unplaced.length === 0;
  const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
  if (!placedAll) message(generalId, [error.message, ...unplaced].join(" ") + wait);
  form.querySelector("[aria-invalid]")?.focus();
}

export function clearErrors(form, generalId) {
  message(generalId, "");
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    message(`${input.name}-error`, "");
  }
}

/** Messages come as a text, a list, or by index of a list's element. */
function sentences(messages) {
  if (typeof messages === "string") return messages;
  if (Array.isArray(messages)) return messages.map(sentences).join(" ");
  return Object.values(messages ?? {}).map(sentences).join(" ");
}
