/** Own offers of a size: those that are open, and those that wait to be sent. */

import { bdi, el, icon, reconcile } from "../../lib/dom.js";
import { busy } from "../../lib/forms.js";

/** Build the list; returns `{element, show(offers, waiting)}`; `cancel(offer)` takes one back. */
export function offerList(ctx, { cancel, withdraw }) {
  const { t, format } = ctx;
  const list = el("ul", { class: "market-own", "aria-label": t("offers.own") });
  const none = el("p", { class: "muted" }, t("offers.none"));

  const make = (offer) => {
    const waits = offer.clientId !== undefined;
    const price = format.money(offer.price);
    const button = el(
      "button",
      {
        type: "button",
        class: "quiet small",
        "aria-label": t(waits ? "offer.withdraw.which" : "offer.cancel.which", { side: t(offer.side), price }),
        onclick: () => (waits ? withdraw(offer) : busy(button, () => cancel(offer))),
      },
      t(waits ? "offer.withdraw" : "offer.cancel"),
    );
    return el(
      "li",
      { class: ["row", waits && "market-waiting"] },
      el("span", { class: ["market-side", offer.side] }, t(offer.side)),
      bdi(price, { class: "numbers" }),
      el(
        "span",
        { class: "grow muted small" },
        waits && [icon("clock", { size: 16 }), " ", t("waiting")],
        !waits && offer.expires_at && t("offer.expires", { time: format.relative(offer.expires_at) }),
      ),
      button,
    );
  };

  return {
    element: el("div", {}, list, none),
    show(offers, waiting) {
      reconcile(list, [...waiting, ...offers], { key: ({ clientId, id }) => clientId ?? id, make });
      none.hidden = offers.length + waiting.length > 0;
      list.hidden = !none.hidden;
    },
  };
}
