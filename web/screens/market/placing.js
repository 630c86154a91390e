/** The form that places a bid or an ask, and says before what will come of it. */

import { WAITING, answerOrWaiting, isDropped } from "../../lib/answers.js";
import { el, setText } from "../../lib/dom.js";
import { describe, field, form } from "../../lib/forms.js";

const DAY_MS = 86_400_000;
const DAYS = ["", "1", "7", "30"];

/**
 * Build it; returns `{element, use(price), show(book)}`. `place(side, {price, expires})` returns what
 * `connection.send` does.
 */
export function placeForm(ctx, place) {
  const { t, format } = ctx;
  let side = "bid";
  let best = {};
  const price = field({
    name: "price",
    label: t("price.usd"),
    inputmode: "decimal",
    required: true,
    autocomplete: "off",
    hint: t("place.hint.bid"),
  });
  const until = field({
    name: "days",
    label: t("expires"),
    type: "select",
    options: DAYS.map((value) => ({ value, label: t(`expires.${value || "never"}`) })),
  });
  const hint = price.element.querySelector(".hint");
  const buttons = ["bid", "ask"].map((each) =>
    el(
      "button",
      {
        type: "button",
        "aria-pressed": String(each === side),
        dataset: { side: each },
        onclick: () => {
          side = each;
          for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.side === side));
          foresee();
        },
      },
      t(each),
    ),
  );
  const typed = () => price.input.value.trim().replace(",", ".");

  /** An offer that meets one of the other side is matched at that one's price. */
  function foresee() {
    const other = best[side === "bid" ? "ask" : "bid"];
    const value = Number(typed());
    const meets = other && value > 0 && (side === "bid" ? value >= Number(other) : value <= Number(other));
    setText(hint, t(meets ? `place.meets.${side}` : `place.hint.${side}`, { price: meets ? format.money(other) : "" }));
    setText(parts.button, t(meets ? `place.now.${side}` : `place.${side}`));
    parts.element.dataset.side = side;
  }

  const parts = form({
    fields: [price, until],
    layout: el("div", { class: "market-fields" }, price.element, until.element),
    action: t("place.bid"),
    attributes: { class: "market-place stack" },
    async submit({ days }) {
      const expires = days ? new Date(Date.now() + Number(days) * DAY_MS).toISOString() : null;
      const words = `${t(side)} ${typed()}`;
      const sent = place(side, { price: typed(), expires });
      if ((await answerOrWaiting(ctx.connection, sent)) !== WAITING) return;
      sent.done.catch((error) => isDropped(error) || ctx.toast(`${words}: ${describe(error)}`, { kind: "error" }));
    },
    done() {
      parts.reset();
      foresee();
    },
  });
  parts.element.prepend(el("div", { class: "segments", role: "group", "aria-label": t("side") }, buttons));
  price.input.addEventListener("input", foresee);
  foresee();

  return {
    element: parts.element,
    use(chosen) {
      price.input.value = chosen;
      foresee();
    },
    show(book) {
      best = { bid: book.levels("bid")[0]?.price, ask: book.levels("ask")[0]?.price };
      foresee();
    },
  };
}
