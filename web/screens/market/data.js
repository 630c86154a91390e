/** What the server knows of the market: commands, routes, events and fields. No DOM here. */

import { random } from "../../lib/session.js";

const NAMESPACE = "/market";
const DEPTH = 12;
const CHART_DAYS = "365";
export const TEST_CARDS = { pays: "4242424242424242", declined: "4000000000000002" };

/** The steps of an order in their order; others end it. */
export const STEPS = ["created", "paid", "shipped", "delivered", "payout_completed"];
export const ENDED = new Set(["payout_completed", "cancelled", "refunded"]);

/** Steps of an order's history that leave its status as it is. */
export const REMARKS = new Set(["complained", "surplus_payment", "surplus_refunded"]);

/**
 * Offers that are not answered yet, by `client_id`: they outlive the screen, as the connection sends
 * them whatever is shown. It forgets them when one signs out, and each is settled then.
 */
const unanswered = new Map();
/** Steps of orders that are not answered yet, by the order's id: `{clientId, name, cancel}`. */
const steps = new Map();
const answers = new EventTarget();

/**
 * Emits what the server says: `book`, `heartbeat`, `sale`, `offer` (one of the caller's has closed)
 * and `order`; and `answered` when an offer placed here was, with the offer or null where it failed.
 */
export class Market extends EventTarget {
  #connection;
  #api;
  #me;
  #stop;
  #adding = null;
  /** What the reader chose to see of the sales. */
  chart = { range: 90, kind: "line" };
  constructor({ connection, api, session }) {
    super();
    this.#connection = connection;
    this.#api = api;
    this.#me = String(session.user.id);
    const hear = (event, run) => connection.on(NAMESPACE, event, run);
    const tell = (name) => (detail) => this.dispatchEvent(new CustomEvent(name, { detail }));
    this.#stop = [
      hear("book", tell("book")),
      hear("book_heartbeat", tell("heartbeat")),
      hear("sale", tell("sale")),
      hear("offer.closed", tell("offer")),
      hear("order.changed", tell("order")),
      // Money that paid no order is no step of it: the buyer hears of it by a notification only.
      hear("notification", ({ type, link }) => {
        if (type === "payment_returned") tell("order")({ order_id: link.split("/").at(-1) });
      }),
    ];
    const answered = ({ detail }) => tell("answered")(detail);
    answers.addEventListener("answered", answered);
    this.#stop.push(() => answers.removeEventListener("answered", answered));
  }

  dispose() {
    for (const stop of this.#stop) stop();
  }

  #ask(command, payload) {
    return this.#connection.request(NAMESPACE, command, payload);
  }

  /** A page of products that have all the words. */
  async products(words, after) {
    const page = await this.#ask("list_products", {
      limit: 20,
      ...(words ? { q: words } : {}),
      ...(after ? { after } : {}),
    });
    return page;
  }

  product(id) {
    return this.#ask("get_product", { product_id: id });
  }

  subscribe(productId, size) {
    return this.#ask("subscribe_book", { product_id: productId, size, depth: DEPTH });
  }

  unsubscribe(productId, size) {
    return this.#ask("unsubscribe_book", { product_id: productId, size }).catch(() => {});
  }

  /** Sales of a size, newest first, and by day, oldest first. */
  async sales(productId, size) {
    const path = `/api/v1/products/${encodeURIComponent(productId)}/sales`;
    const answer = await this.#api.get(path, { size, days: CHART_DAYS, limit: "20" });
    const daily = [...answer.daily].sort((a, b) => a.day.localeCompare(b.day));
    return { items: answer.items, daily };
  }

  /** Place an offer; waits while the server is away. `done` resolves to the offer. */
  place(side, { productId, size, price, expires }) {
    const payload = { product_id: productId, size, price, ...(expires && { expires_at: expires }) };
    const sent = this.#connection.send(NAMESPACE, side === "bid" ? "place_bid" : "place_ask", payload);
    const { clientId } = sent;
    const settle = (detail) => {
      unanswered.delete(clientId);
      answers.dispatchEvent(new CustomEvent("answered", { detail }));
    };
    unanswered.set(clientId, { clientId, side, productId, size, price, cancel: sent.cancel });
    sent.done.then(settle, () => settle(null));
    return sent;
  }

  /** The offers of a size that wait for the server: `{clientId, side, productId, size, price}`. */
  waiting(productId, size) {
    return [...unanswered.values()].filter(
      (offer) =>
        offer.productId === productId && offer.size === size && this.#connection.waits(offer.clientId),
    );
  }

  /** Do not send an offer that waits. */
  withdraw({ clientId }) {
    unanswered.get(clientId)?.cancel();
    unanswered.delete(clientId);
  }

  /** Whether the server lets this account add products: operators, and in development everyone. */
  async canAdd() {
    if ((await this.#api.get("/api/v1/client-config")).development) return true;
    try {
      await this.#ask("list_stuck_orders", { limit: 1 });
      return true;
    } catch (error) {
      if (error.code === "not_an_operator") return false;
      throw error;
    }
  }

  /** Add a product; `sizes` is text with commas. The same values are added once, if sent again. */
  addProduct({ name, sku, sizes }) {
    const body = { name, sku, sizes: sizes.split(/[,;\n]/).map((size) => size.trim()).filter(Boolean) };
    const text = JSON.stringify(body);
    if (this.#adding?.text !== text) this.#adding = { text, clientId: random() };
    return this.#api.post("/api/v1/products", { ...body, client_id: this.#adding.clientId });
  }

  cancelOffer(id) {
    return this.#ask("cancel", { id });
  }

  /** Own open offers of both sides. */
  async offers() {
    const pages = await Promise.all(
      ["bid", "ask"].map((side) => this.#ask("my_offers", { side, status: "open", limit: 100 })),
    );
    return pages.flatMap((page) => page.items);
  }

  /** A page of orders: all, or those as `buyer` or `seller`. */
  async orders(role, after) {
    const page = await this.#ask("my_orders", {
      limit: 20,
      ...(role ? { role } : {}),
      ...(after ? { after } : {}),
    });
    return { items: page.items.map((order) => this.#order(order)), next: page.next };
  }

  async order(id) {
    return this.#order(await this.#ask("get_order", { order_id: id }));
  }

  /** Pay now or not at all: a payment is made while its buyer looks on. Resolves to the order. */
  async pay(order, values) {
    return this.#order(await this.#ask("pay", { order_id: order.id, ...values }));
  }

  /** Take another step; waits while the server is away, as `Connection.send`: `done` is the order. */
  step(order, name, values = {}) {
    const { clientId, cancel, done } = this.#connection.send(NAMESPACE, name, { order_id: order.id, ...values });
    const entry = { clientId, name, cancel };
    steps.set(order.id, entry);
    const settle = () => steps.get(order.id) === entry && steps.delete(order.id);
    done.then(settle, settle);
    return { clientId, done: done.then((answer) => this.#order(answer)) };
  }

  /** The name of the step of an order that waits for the server, if one does. */
  waitingStep(orderId) {
    const entry = steps.get(orderId);
    return entry && this.#connection.waits(entry.clientId) ? entry.name : null;
  }

  /** Do not take the step that waits. */
  withdrawStep(orderId) {
    steps.get(orderId)?.cancel();
    steps.delete(orderId);
  }

  #order(order) {
    const buying = String(order.buyer_id) === this.#me;
    return { ...order, buying, otherId: buying ? order.seller_id : order.buyer_id };
  }
}

/** What the caller can do next with an order: names of commands, the first one is the next step. */
export function nextSteps({ buying, status }) {
  if (buying) {
    if (["created", "payment_failed"].includes(status)) return ["pay", "cancel_order"];
    if (status === "shipped") return ["deliver", "complain"];
    return [];
  }
  if (["created", "payment_failed"].includes(status)) return ["cancel_order"];
  if (status === "paid") return ["ship", "refund"];
  return status === "shipped" ? ["refund"] : [];
}

/**
 * A book as its snapshot and events say. Levels worse than the last one of a side that has more are
 * not known; when one of those moves into view, or an event was missed, `apply` returns false and the
 * book has to be fetched.
 */
export class Book {
  constructor(snapshot) {
    this.seq = snapshot.seq;
    this.bids = new Map(snapshot.bids.map(({ price, quantity }) => [price, quantity]));
    this.asks = new Map(snapshot.asks.map(({ price, quantity }) => [price, quantity]));
    this.lastSale = snapshot.last_sale;
    /** `side price` of the level that changed last, until it is shown. */
    this.changed = null;
    this.more = { bid: snapshot.more_bids, ask: snapshot.more_asks };
    this.edge = { bid: snapshot.bids.at(-1)?.price, ask: snapshot.asks.at(-1)?.price };
  }

  apply({ seq, prev_seq: before, side, price, quantity }) {
    if (seq <= this.seq) return true;
    if (before !== this.seq) return false;
    this.seq = seq;
    const beyond = (Number(price) - Number(this.edge[side])) * (side === "bid" ? -1 : 1) > 0;
    if (this.more[side] && beyond) return true;
    const levels = side === "bid" ? this.bids : this.asks;
    if (quantity > 0) levels.set(price, quantity);
    else levels.delete(price);
    this.changed = `${side} ${price}`;
    return !(this.more[side] && levels.size < DEPTH);
  }

  /** Whether a heartbeat's checksum is that of the known levels; its `seq` has to be the book's. */
  matches({ checksums }) {
    const known = ["bid", "ask"]
      .filter((side) => this.more[side])
      .map((side) => (side === "bid" ? this.bids : this.asks).size);
    const count = Math.min(checksums.length, ...known);
    if (count === 0) return true;
    const text = ["bid", "ask"]
      .flatMap((side) =>
        this.levels(side)
          .slice(0, count)
          .map(({ price, quantity }) => `${side}:${price}:${quantity}`),
      )
      .join("|");
    return crc32(text) === checksums[count - 1];
  }

  /** `[{price, quantity, sum}]`, the best one first; `sum` counts from the best one on. */
  levels(side) {
    const sign = side === "bid" ? -1 : 1;
    let sum = 0;
    return [...(side === "bid" ? this.bids : this.asks)]
      .sort(([a], [b]) => sign * (Number(a) - Number(b)))
      .slice(0, DEPTH)
      .map(([price, quantity]) => ({ price, quantity, sum: (sum += quantity) }));
  }
}

/** CRC-32 (IEEE, unsigned) of ASCII text. */
export function crc32(text) {
  let crc = ~0;
  for (let n = 0; n < text.length; n += 1) {
    crc ^= text.charCodeAt(n);
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
