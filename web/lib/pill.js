/** The status pill: the one place that says how the connection is. */

import { announce, el, icon } from "./dom.js";
import { number } from "./format.js";
import { t } from "./i18n.js";

/** What is over sooner than this is not worth a word to screen readers. */
const SAY_MS = 2000;

/** Show the state of `connection` in `place`; `signIn()` is what *Signed out* offers. */
export function pill(place, connection, { signIn }) {
  const dot = el("span", { class: "dot", "aria-hidden": "true" });
  const words = el("span", { class: "pill-words" });
  // On a phone there is room for fewer words.
  const short = el("span", { class: "pill-short" });
  const count = el("span", { class: "pill-count" });
  const waiting = el(
    "span",
    { class: "pill-waiting", hidden: true },
    icon("clock", { size: 14 }),
    count,
  );
  const action = el("button", { type: "button", class: "pill-action", hidden: true });
  const element = el("div", { class: "pill" }, dot, words, short, waiting, action);
  place.replaceChildren(element);
  let ticking = null;
  let said = null;
  let saying = null;

  action.addEventListener("click", () =>
    connection.state.kind === "signed-out" ? signIn() : connection.retry(),
  );

  function draw() {
    const { kind, at, heldUntil, waiting: unsent, code, detail } = connection.state;
    const held = heldUntil !== undefined;
    const next = heldUntil ?? at;
    const seconds = Math.ceil((next - Date.now()) / 1000);
    const counts = (held || kind === "reconnecting") && seconds > 0;
    const counting = held ? "state.held.in" : "state.reconnecting.in";
    element.dataset.state = kind;
    words.textContent = counts ? t(counting, { seconds }) : t(`state.${kind}`);
    short.textContent = counts ? t("state.reconnecting.short", { seconds }) : t(`state.${kind}`);
    count.replaceChildren(...wordsAround(t("state.waiting", { count: unsent }), number(unsent)));
    waiting.hidden = unsent === 0;
    action.hidden = !["reconnecting", "signed-out"].includes(kind);
    action.textContent = t(kind === "signed-out" ? "state.signIn" : "state.reconnecting.now");
    const reason = code ? `\n${t("state.reason", { detail, code })}` : "";
    element.title = t(`state.${held ? "held" : kind}.title`) + reason;
    clearInterval(ticking);
    ticking = counts ? setInterval(draw, 1000 - ((next - Date.now()) % 1000 || 0)) : null;
    say(held ? "held" : kind);
  }

  /** Changes are said, the seconds that pass are not. */
  function say(kind) {
    clearTimeout(saying);
    if (kind === said || kind === "connecting") return;
    saying = setTimeout(() => {
      const wasAway = said !== null && said !== "held";
      if (kind !== "live") announce(t(kind === "held" ? "state.held.title" : `state.${kind}`));
      else if (wasAway) announce(t("state.back"));
      said = kind;
    }, SAY_MS);
  }

  connection.addEventListener("state", draw);
  draw();
  return { draw };
}


/** Split a text at its number, so that a phone can show the number by itself. */
function wordsAround(text, figure) {
  const at = text.indexOf(figure);
  const rest = (part) => el("span", { class: "pill-rest" }, part);
  return [rest(text.slice(0, at)), figure, rest(text.slice(at + figure.length))];
}
