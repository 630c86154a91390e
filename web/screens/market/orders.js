/** Own orders: a list, and one of them as a timeline with the next step as a button. */

import { WAITING, answerOrWaiting, isDropped } from "../../lib/answers.js";
import { bdi, el, icon } from "../../lib/dom.js";
import { confirmDialog, openDialog } from "../../lib/dialog.js";
import { busy, describe, field, form } from "../../lib/forms.js";
import { errorNote, listView, skeletonOf, staleNote } from "../../lib/listview.js";
import { avatar, personName } from "../../lib/people.js";
import { ENDED, REMARKS, STEPS, TEST_CARDS, nextSteps } from "./data.js";

/** Steps that cannot be taken back and take something away: they are asked for once more. */
const ASKED = new Set(["cancel_order", "refund"]);
const ROLES = ["", "buyer", "seller"];

export function openOrders(root, ctx, market) {
  const { t } = ctx;
  let role = "";
  const list = listView(ctx, {
    load: (after) => market.orders(role, after),
    key: ({ id }) => id,
    make: row,
    update: (node, order) => node.replaceChildren(...row(order).childNodes),
    empty: { text: t("orders.none"), action: { label: t("products"), run: () => ctx.go() } },
    label: t("orders"),
  });
  market.addEventListener("order", list.reload);
  const roles = ROLES.map((each) =>
    el(
      "button",
      {
        type: "button",
        "aria-pressed": String(each === role),
        onclick: ({ currentTarget }) => {
          role = each;
          for (const button of roles) button.setAttribute("aria-pressed", String(button === currentTarget));
          list.reload();
        },
      },
      t(`orders.${each || "all"}`),
    ),
  );
  root.append(
    el("div", { class: "segments market-roles", role: "group", "aria-label": t("orders.which") }, roles),
    list.element,
  );

  function row(order) {
    const next = nextSteps(order)[0];
    const waits = market.waitingStep(order.id);
    const due = !waits && next && next !== "cancel_order" && next !== "refund";
    return el(
      "li",
      { class: "card market-order" },
      avatar(order.otherId, { size: 36 }),
      el(
        "a",
        { href: ctx.href("orders", order.id), class: "grow" },
        el("strong", { class: "cut" }, bdi(order.product_name)),
        el(
          "span",
          { class: "muted small" },
          `${t(order.buying ? "bought" : "sold")} · ${order.size} · `,
          el("span", { class: "numbers" }, ctx.format.money(order.price)),
          " · ",
          ctx.format.ago(order.created_at),
        ),
      ),
      el("span", { class: ["market-status", order.status, due && "mine"] }, waits ? t("waiting") : t(due ? `step.${next}` : `status.${order.status}`)),
    );
  }

  return {
    reload: list.reload,
    dispose() {
      market.removeEventListener("order", list.reload);
      list.dispose();
    },
  };
}

export function openOrder(root, ctx, market, orderId) {
  const { t, format } = ctx;
  let order = null;
  let readAt = null;
  let failed = null;
  let disposed = false;
  const status = el("div", {});
  const place = el("article", { class: "card market-one" });
  root.append(status, place);
  const hearing = new AbortController();
  market.addEventListener("order", ({ detail }) => detail.order_id === orderId && reload(), { signal: hearing.signal });
  const onState = () => {
    drawStatus();
    if (order) draw();
    if (failed && ctx.connection.state.kind === "live") reload();
  };
  ctx.connection.addEventListener("state", onState, { signal: hearing.signal });

  async function reload() {
    if (!order) place.replaceChildren(skeletonOf(3));
    failed = null;
    try {
      const read = await market.order(orderId);
      if (!disposed) show(read);
    } catch (error) {
      if (disposed) return;
      failed = error;
      if (!order) place.replaceChildren(errorNote(error, reload));
    }
    drawStatus();
  }

  function show(read) {
    order = read;
    readAt = Date.now();
    draw();
  }

  function drawStatus() {
    const stale = readAt !== null && ["reconnecting", "offline"].includes(ctx.connection.state.kind);
    place.classList.toggle("stale", stale);
    status.replaceChildren(...(stale ? [staleNote(readAt)] : []));
  }

  /** Remarks of the history are done, but no steps; what is still to come stands below. */
  function timeline() {
    const steps = order.history.map((step) => ({ ...step, done: true }));
    if (ENDED.has(order.status)) return steps;
    const seen = new Set(steps.map((step) => step.status));
    const next = STEPS.findIndex((name) => !seen.has(name));
    return [...steps, ...STEPS.slice(next).map((status) => ({ status, done: false }))];
  }

  function draw() {
    const waits = market.waitingStep(order.id);
    const actions = waits ? [] : nextSteps(order);
    const steps = timeline();
    const current = steps.findLastIndex((step) => step.done && !REMARKS.has(step.status));
    const turn = t(`turn.${order.buying ? "buyer" : "seller"}.${order.status}`);
    const facts = [
      order.carrier && [t("carrier"), bdi(order.carrier)],
      order.tracking && [t("tracking.number"), bdi(order.tracking)],
      order.complaint && [t("complaint.said"), el("span", { dir: "auto" }, order.complaint)],
      Number(order.refunded_amount) > 0 && [t("refunded"), format.money(order.refunded_amount)],
      order.deadline && [t("deadline"), el("time", { datetime: order.deadline }, format.full(order.deadline))],
    ].filter(Boolean);
    const focused = place.contains(document.activeElement) ? document.activeElement.dataset.step : undefined;
    place.replaceChildren(
      el(
        "header",
        { class: "market-head" },
        el("a", { class: "icon-button", href: ctx.href("orders"), "aria-label": t("orders.back") }, icon("left")),
        el(
          "div",
          { class: "grow" },
          el("h2", {}, el("a", { href: ctx.href(order.product_id, order.size) }, bdi(order.product_name))),
          el("p", { class: "muted small" }, `${order.size} · ${t(order.buying ? "from" : "to")} `, personName(order.otherId)),
        ),
        el("strong", { class: "market-sum numbers" }, format.money(order.price)),
      ),
      el(
        "div",
        { class: ["market-turn", actions.length > 0 && !ASKED.has(actions[0]) && "mine"] },
        waits
          ? el(
              "p",
              { class: "row market-waiting" },
              icon("clock", { size: 16 }),
              el("span", { class: "grow" }, t("step.waits", { step: t(`step.${waits}`) })),
              el("button", { type: "button", class: "quiet", dataset: { step: "withdraw" }, onclick: withdraw }, t("offer.withdraw")),
            )
          : el("p", {}, turn),
        actions.length > 0 &&
          el(
            "div",
            { class: "row" },
            actions.map((name, n) =>
              el(
                "button",
                {
                  type: "button",
                  dataset: { step: name },
                  class: n === 0 && !ASKED.has(name) ? "primary" : ASKED.has(name) ? "quiet danger" : "quiet",
                  onclick: ({ currentTarget }) => act(name, currentTarget),
                },
                t(`step.${name}`),
              ),
            ),
          ),
      ),
      el(
        "ol",
        { class: "market-timeline" },
        steps.map((step, n) =>
          el(
            "li",
            { class: [step.done ? "done" : "open", step.status], "aria-current": n === current ? "step" : null },
            el("strong", {}, t(`status.${step.status}`)),
            step.at && el("span", { class: "muted small" }, format.ago(step.at)),
          ),
        ),
      ),
      facts.length > 0
        ? el("dl", { class: "market-facts" }, facts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]))
        : "",
    );
    // Drawing anew keeps the focus where it was, or leaves it at the next step.
    if (focused) (place.querySelector(`[data-step="${focused}"]`) ?? place.querySelector("[data-step]"))?.focus();
  }

  async function act(name, button) {
    if (name === "pay") return pay();
    if (name === "ship") {
      return ask(name, [
        field({ name: "carrier", label: t("carrier"), required: true, maxlength: "60", dir: "auto" }),
        field({ name: "tracking", label: t("tracking.number"), required: true, maxlength: "100", dir: "auto" }),
      ]);
    }
    if (name === "complain") {
      return ask(name, [
        field({ name: "text", label: t("complaint"), type: "textarea", rows: "4", maxlength: "1000", required: true, dir: "auto" }),
      ]);
    }
    if (ASKED.has(name)) {
      const question = { title: t(`step.${name}`), text: t(`ask.${name}`), action: t(`step.${name}`), danger: true };
      if (!(await confirmDialog(question))) return;
    }
    try {
      taken(await busy(button, () => take(name)));
    } catch (error) {
      ctx.toast(describe(error), { kind: "error" });
      reload();
    }
  }

  /** Take a step: resolves to the order, or to `WAITING`; what becomes of it then is shown later. */
  async function take(name, values) {
    const sent = market.step(order, name, values);
    const outcome = await answerOrWaiting(ctx.connection, sent);
    if (outcome === WAITING) sent.done.then(taken, (error) => refused(name, error));
    return outcome;
  }

  function taken(outcome) {
    if (disposed) return;
    if (outcome === WAITING) draw();
    else show(outcome);
  }

  function refused(name, error) {
    if (isDropped(error)) return;
    ctx.toast(`${t(`step.${name}`)}: ${describe(error)}`, { kind: "error" });
    if (!disposed) reload();
  }

  function withdraw() {
    market.withdrawStep(orderId);
    draw();
  }

  function pay() {
    const cards = Object.entries(TEST_CARDS).map(([name, value]) => ({ value, label: t(`card.${name}`, { number: value }) }));
    const card = field({ name: "card_number", label: t("card"), type: "select", options: cards });
    return ask("pay", [card], async (values) => {
      try {
        return await market.pay(order, values);
      } catch (error) {
        if (error.code === "unreachable") throw new Error(t("pay.away"));
        throw error;
      }
    });
  }

  function ask(name, fields, submit = (values) => take(name, values)) {
    const asking = form({
      fields,
      action: t(`step.${name}`),
      attributes: { class: "stack" },
      submit,
      done(outcome) {
        dialog.close();
        taken(outcome);
      },
    });
    const dialog = openDialog({ title: t(`step.${name}`), content: asking.element, kind: "sheet" });
  }

  return {
    reload,
    dispose() {
      disposed = true;
      hearing.abort();
    },
  };
}
