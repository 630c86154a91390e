/** One size of a product: its book, live, the form, own offers and past sales. */

import { bdi, el, icon } from "../../lib/dom.js";
import { describe } from "../../lib/forms.js";
import { roving } from "../../lib/keys.js";
import { errorNote, skeletonOf, staleNote } from "../../lib/listview.js";
import { bookTable } from "./booktable.js";
import { salesChart } from "./chart.js";
import { Book } from "./data.js";
import { offerList } from "./offers.js";
import { placeForm } from "./placing.js";

const TICKS = 8;
/** A busy book does not have the sales read more often than this. */
const SALES_MS = 1_000;

export function openProduct(root, ctx, market, productId, wanted) {
  const { t, format } = ctx;
  let product = null;
  let size = wanted;
  let book = null;
  let offers = [];
  let early = [];
  let ticks = [];
  let readAt = null;
  let failed = null;
  let disposed = false;
  let turn = 0;
  let salesTimer = null;

  const head = el("header", { class: "market-head" });
  const sizes = el("nav", { class: "market-sizes", "aria-label": t("sizes") });
  const settleSizes = roving(sizes, "a", { direction: "horizontal" });
  const status = el("div", {});
  const table = bookTable(ctx, (price) => placing.use(price));
  const placing = placeForm(ctx, (side, values) => market.place(side, { productId, size, ...values }));
  const own = offerList(ctx, { cancel, withdraw });
  const chart = salesChart(ctx, market.chart);
  const salesStatus = el("div", {});
  const tickTitle = el("h3", { class: "unseen" }, t("sales.latest"));
  const tickList = el("ol", { class: "market-ticks numbers", "aria-label": t("sales.latest") });
  const grid = el(
    "div",
    { class: "market-grid", hidden: true },
    el("section", { class: "card" }, el("h2", {}, t("book")), table.element),
    el(
      "div",
      { class: "market-column" },
      el("section", { class: "card" }, el("h2", {}, t("place.title")), placing.element),
      el("section", { class: "card" }, el("h2", {}, t("offers.own")), own.element),
    ),
    el(
      "section",
      { class: "card market-history" },
      el("h2", {}, t("sales")),
      el("div", {}, salesStatus, chart.element),
      el("div", {}, tickTitle, tickList),
    ),
  );
  root.append(head, sizes, status, grid);

  const mine = ({ detail }) => detail.product_id === productId && detail.size === size;
  const hearing = new AbortController();
  const hear = (name, run) => market.addEventListener(name, run, { signal: hearing.signal });
  hear("book", (event) => {
    if (!mine(event)) return;
    if (book === null) early.push(event.detail);
    else if (book.apply(event.detail)) drawBook();
    else reload();
  });
  hear("heartbeat", (event) => {
    if (!mine(event) || book === null || event.detail.seq < book.seq) return;
    const equal = event.detail.seq === book.seq && book.matches(event.detail);
    const state = t(equal ? "checksum.equal" : "checksum.differs");
    ctx.frames.add("/market", "note", state, { size, seq: book.seq, checksum: event.detail.checksum });
    if (!equal) reload();
  });
  hear("sale", (event) => {
    if (!mine(event)) return;
    const { price, at } = event.detail;
    const before = book?.lastSale?.price;
    ticks = [{ price, at }, ...ticks].slice(0, TICKS);
    if (book) book.lastSale = { price, at };
    drawBook();
    table.sold(Number(price), before === undefined ? undefined : Number(before));
    drawTicks(true);
    salesTimer ??= setTimeout(readSales, SALES_MS);
  });
  hear("offer", ({ detail }) => {
    drop(detail.id);
    if (detail.status !== "matched") return;
    const action = { label: t("order.open"), run: () => ctx.go("orders", detail.order_id) };
    ctx.toast(t("matched"), { kind: "ok", action });
  });
  hear("answered", ({ detail: offer }) => {
    const here = offer?.product_id === productId && offer.size === size && offer.status === "open";
    if (here && !offers.some(({ id }) => id === offer.id)) offers = [offer, ...offers];
    drawOwn();
  });
  const onState = () => {
    drawStatus();
    drawOwn();
    if (failed && ctx.connection.state.kind === "live") reload();
  };
  ctx.connection.addEventListener("state", onState, { signal: hearing.signal });
  // Another tab of the account may have placed or cancelled some meanwhile.
  const onVisible = () => document.visibilityState === "visible" && readOffers().catch(() => {});
  document.addEventListener("visibilitychange", onVisible, { signal: hearing.signal });

  async function reload() {
    turn += 1;
    const current = turn;
    failed = null;
    const waiting = setTimeout(() => !product && status.replaceChildren(skeletonOf(4)), 150);
    try {
      await ctx.connection.settled();
      product ??= await market.product(productId);
      size ??= product.sizes[0];
      early = [];
      book = null;
      const [snapshot] = await Promise.all([market.subscribe(productId, size), readOffers()]);
      if (disposed) market.unsubscribe(productId, size);
      if (disposed || current !== turn) return;
      book = new Book(snapshot);
      for (const event of early) book.apply(event);
      book.changed = null;
      readAt = Date.now();
      grid.hidden = false;
      drawHead();
      drawOwn();
      await readSales();
    } catch (error) {
      if (disposed || current !== turn) return;
      failed = error;
    } finally {
      clearTimeout(waiting);
    }
    drawStatus();
  }

  async function readOffers() {
    const open = await market.offers();
    if (disposed) return;
    offers = open.filter((offer) => offer.product_id === productId && offer.size === size);
    drawOwn();
  }

  async function readSales() {
    clearTimeout(salesTimer);
    salesTimer = null;
    try {
      const { items, daily } = await market.sales(productId, size);
      if (disposed) return;
      salesStatus.replaceChildren();
      ticks = items.slice(0, TICKS).map(({ price, at }) => ({ price, at }));
      drawTicks();
      chart.show(daily);
    } catch (error) {
      if (!disposed) salesStatus.replaceChildren(errorNote(error, readSales));
    }
  }

  async function cancel(offer) {
    try {
      await market.cancelOffer(offer.id);
      drop(offer.id);
    } catch (error) {
      ctx.toast(describe(error), { kind: "error" });
      await readOffers().catch(() => {});
    }
  }

  function withdraw(offer) {
    market.withdraw(offer);
    drawOwn();
  }

  function drop(id) {
    offers = offers.filter((offer) => offer.id !== id);
    drawOwn();
  }

  /** What is known stays while the server is away, dimmed; an error shows only where nothing is. */
  function drawStatus() {
    const away = ["reconnecting", "offline"].includes(ctx.connection.state.kind);
    const stale = readAt !== null && away;
    grid.classList.toggle("stale", stale);
    if (stale) status.replaceChildren(staleNote(readAt));
    else if (failed) status.replaceChildren(errorNote(failed, reload));
    else if (readAt !== null) status.replaceChildren();
  }

  function drawHead() {
    head.replaceChildren(
      el("a", { class: "icon-button", href: ctx.href(), "aria-label": t("products.back") }, icon("left")),
      el("div", { class: "grow" }, el("h2", {}, bdi(product.name)), el("p", { class: "muted small" }, bdi(product.sku))),
    );
    sizes.replaceChildren(
      ...product.sizes.map((each) =>
        el("a", { href: ctx.href(productId, each), "aria-current": each === size ? "page" : null }, each),
      ),
    );
    settleSizes();
    const current = sizes.querySelector("[aria-current]");
    if (current) sizes.scrollLeft = current.offsetLeft - sizes.offsetLeft - 40;
  }

  function drawBook() {
    if (!book) return;
    table.show(book, offers);
    placing.show(book);
  }

  function drawOwn() {
    own.show(offers, market.waiting(productId, size));
    drawBook();
  }

  function drawTicks(arrived = false) {
    tickList.hidden = ticks.length === 0;
    tickList.replaceChildren(
      ...ticks.map(({ price, at }, n) => {
        const before = ticks[n + 1];
        const way = !before || before.price === price ? "" : Number(price) > Number(before.price) ? "up" : "down";
        return el(
          "li",
          { class: ["row", arrived && n === 0 && "arrived flash"] },
          el("span", { class: "grow" }, way && el("span", { class: `market-way ${way}`, "aria-hidden": "true" }), format.money(price)),
          el("span", { class: "muted small" }, format.ago(at)),
        );
      }),
    );
  }

  return {
    reload,
    dispose() {
      disposed = true;
      hearing.abort();
      clearTimeout(salesTimer);
      chart.dispose();
      if (size) market.unsubscribe(productId, size);
    },
  };
}
