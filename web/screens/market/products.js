/** The list of products, with what each size costs. */

import { bdi, el, icon } from "../../lib/dom.js";
import { listView } from "../../lib/listview.js";
import { openAdd } from "./add.js";

const TYPED_MS = 250;
/** A card has so many sizes, those with offers or sales first; the product has them all. */
const SHOWN = 5;

export function openProducts(root, ctx, market) {
  const { t, format } = ctx;
  let timer = null;
  const input = el("input", { type: "search", "aria-label": t("search"), placeholder: t("search"), autocomplete: "off" });
  const list = listView(ctx, {
    load: (after) => market.products(input.value.trim(), after),
    key: ({ id }) => id,
    make: card,
    update: (node, product) => node.replaceChildren(...card(product).childNodes),
    empty: {
      get text() {
        return t(input.value.trim() ? "products.none" : "products.none.yet");
      },
    },
    label: t("products"),
  });
  list.element.classList.add("market-products");
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(list.reload, TYPED_MS);
  });
  const sold = () => {
    clearTimeout(timer);
    timer = setTimeout(list.reload, 1_000);
  };
  market.addEventListener("sale", sold);
  const add = el(
    "button",
    { type: "button", class: "market-new", hidden: true, onclick: () => openAdd(ctx, market) },
    icon("plus"),
    t("product.add"),
  );
  const closed = el("p", { class: "muted small", hidden: true }, t("product.add.operators"));
  root.append(el("div", { class: "market-bar" }, input, add), closed, list.element);
  market.canAdd().then(
    (allowed) => {
      add.hidden = !allowed;
      closed.hidden = allowed;
    },
    () => {},
  );

  function card(product) {
    const price = (value) => (value === null ? "–" : format.money(value.price ?? value));
    const traded = ({ lowest_ask: ask, highest_bid: bid, last_sale: sale }) => ask !== null || bid !== null || sale !== null;
    const { quotes } = product;
    const sorted = [...new Set([...quotes.filter(traded), ...quotes])];
    // "1 more" would take the room of that one.
    const chosen = new Set(sorted.length > SHOWN + 1 ? sorted.slice(0, SHOWN) : sorted);
    const more = quotes.length - chosen.size;
    return el(
      "li",
      { class: "card market-product" },
      el("h2", {}, el("a", { href: ctx.href(product.id, product.sizes[0]) }, bdi(product.name))),
      el("p", { class: "muted small" }, bdi(product.sku)),
      el(
        "div",
        { class: "market-scroll", tabindex: "0", role: "group", "aria-label": t("sizes.of", { name: product.name }) },
        el(
          "table",
          { class: "market-quotes numbers" },
          el(
            "thead",
            {},
            el("tr", {}, ["size", "ask.lowest", "bid.highest", "sale.last"].map((key) => el("th", { scope: "col" }, t(key)))),
          ),
          el(
            "tbody",
            {},
            quotes
              .filter((quote) => chosen.has(quote))
              .map((quote) =>
                el(
                  "tr",
                  {},
                  el("th", { scope: "row" }, el("a", { href: ctx.href(product.id, quote.size) }, quote.size)),
                  el("td", {}, price(quote.lowest_ask)),
                  el("td", {}, price(quote.highest_bid)),
                  el("td", {}, price(quote.last_sale)),
                ),
              ),
          ),
        ),
      ),
      more > 0 &&
        el("a", { class: "market-more", href: ctx.href(product.id, product.sizes[0]) }, t("sizes.more", { count: more })),
    );
  }

  return {
    reload: list.reload,
    dispose() {
      clearTimeout(timer);
      market.removeEventListener("sale", sold);
      list.dispose();
    },
  };
}
