/** The market: products, a product's book, orders. */

import { el } from "../../lib/dom.js";
import { Market } from "./data.js";
import { openOrder, openOrders } from "./orders.js";
import { openProduct } from "./product.js";
import { openProducts } from "./products.js";

let ctx = null;
let market = null;
let root = null;
let page = null;
let turn = 0;

export const screen = {
  async mount(place, context, params) {
    ctx = context;
    root = place;
    market = new Market(ctx);
    await show(params);
  },
  update: show,
  unmount() {
    turn += 1;
    page?.dispose?.();
    page = null;
    market?.dispose();
    market = null;
  },
  catchUp: () => page?.reload?.(),
};

async function show(params) {
  turn += 1;
  const own = turn;
  page?.dispose?.();
  page = null;
  const [first, second] = params;
  const orders = first === "orders";
  const { t } = ctx;
  ctx.setTitle(t("screen.market"));
  const tab = (label, chosen, ...place) =>
    el("a", { href: ctx.href(...place), "aria-current": chosen ? "page" : null }, label);
  const body = el("div", { class: "market-body" });
  root.replaceChildren(
    el(
      "nav",
      { class: "market-tabs", "aria-label": t("tabs") },
      tab(t("products"), !orders),
      tab(t("orders"), orders, "orders"),
    ),
    body,
  );
  await ctx.connection.settled();
  if (own !== turn) return;
  if (orders) page = second ? openOrder(body, ctx, market, second) : openOrders(body, ctx, market);
  else if (first) page = openProduct(body, ctx, market, first, second);
  else page = openProducts(body, ctx, market);
  await page.reload();
}
