/** A book as a table: asks above, bids below, what happened last in the middle. */

import { el, reconcile, setText } from "../../lib/dom.js";
import { roving } from "../../lib/keys.js";

/**
 * Build it; returns `{element, show(book, offers), sold(sale, before)}`. `choose(price)` is called
 * with the price that was pressed. Prices are one tab stop.
 */
export function bookTable(ctx, choose) {
  const { t, format } = ctx;
  const asks = el("tbody", { class: "asks" });
  const bids = el("tbody", { class: "bids" });
  const last = el("strong", { class: "market-last" });
  const gap = el("span", { class: "muted" });
  const table = el(
    "table",
    { class: "market-book numbers" },
    el("caption", { class: "unseen" }, t("book")),
    el("thead", {}, el("tr", {}, ["price", "quantity", "total"].map((key) => el("th", { scope: "col" }, t(key))))),
    asks,
    el("tbody", {}, el("tr", {}, el("td", { colspan: "3", class: "market-spread" }, last, gap))),
    bids,
  );
  const settle = roving(table, ".market-price", { direction: "vertical" });

  const make = (level) => {
    const node = el(
      "tr",
      { class: level.side },
      el(
        "td",
        {},
        el("button", {
          type: "button",
          class: "market-price",
          tabindex: "-1",
          "aria-label": t("price.use", { price: format.money(level.price) }),
          onclick: () => choose(level.price),
        }, format.money(level.price)),
        el("span", { class: "market-mark", title: t("own"), hidden: true }, el("span", { class: "unseen" }, t("own"))),
      ),
      el("td", {}),
      el("td", { class: "muted" }),
    );
    update(node, level);
    return node;
  };
  const update = (node, { quantity, sum, share, own, changed }) => {
    const [price, count, total] = node.children;
    setText(count, format.number(quantity));
    setText(total, format.number(sum));
    price.lastElementChild.hidden = !own;
    node.classList.toggle("own", own);
    node.style.setProperty("--depth", `${Math.round(100 * share)}%`);
    if (changed) flash(node);
  };

  function show(book, offers) {
    const sides = { ask: book.levels("ask"), bid: book.levels("bid") };
    const most = Math.max(1, ...Object.values(sides).map((levels) => levels.at(-1)?.sum ?? 0));
    const rows = (side) =>
      sides[side].map((level) => ({
        ...level,
        side,
        share: level.sum / most,
        own: offers.some((offer) => offer.side === side && offer.price === level.price),
        changed: book.changed === `${side} ${level.price}`,
      }));
    const parts = { key: ({ price }) => price, make, update };
    reconcile(asks, rows("ask").reverse(), parts);
    reconcile(bids, rows("bid"), parts);
    book.changed = null;
    const [ask, bid] = [sides.ask[0], sides.bid[0]];
    const spread = ask && bid ? t("spread", { price: format.money(Number(ask.price) - Number(bid.price)) }) : "";
    setText(gap, spread || (ask || bid || book.lastSale ? "" : t("book.empty")));
    setText(last, book.lastSale ? t("sale.last.at", { price: format.money(book.lastSale.price) }) : "");
    last.hidden = !book.lastSale;
    settle();
  }

  return {
    element: table,
    show,
    /** Mark the last sale as new, and whether it went up or down. */
    sold(price, before) {
      last.dataset.way = before === undefined || price === before ? "" : price > before ? "up" : "down";
      flash(last);
    },
  };
}

/** Begin the animation of class `flash` anew; style sheets leave it out for who wants less motion. */
function flash(node) {
  node.classList.remove("flash");
  void node.offsetWidth;
  node.classList.add("flash");
}
