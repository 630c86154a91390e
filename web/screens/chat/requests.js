/** The answer to a message request: accept, decline, or block who asks. */

import { el } from "../../lib/dom.js";
import { personName } from "../../lib/people.js";
import { toast } from "../../lib/toast.js";
import { reasonOf } from "./rows.js";

/** The bar that stands where one would write. */
export function requestBar(ctx, store, timeline) {
  const { t } = ctx;
  const { conversation } = timeline;
  const { createdBy, id, kind } = conversation;
  const run = async (button, work) => {
    button.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (error) {
      toast(reasonOf(t, error), { kind: "error" });
    } finally {
      button.removeAttribute("aria-busy");
    }
  };
  const accept = el("button", { type: "button", class: "primary" }, t("request.accept"));
  const decline = el("button", { type: "button" }, t("request.decline"));
  const block = el("button", { type: "button", class: "danger" }, t("request.block"));
  accept.addEventListener("click", () =>
    run(accept, async () => {
      await store.server.accept(id);
      timeline.accepted();
    }),
  );
  decline.addEventListener("click", () =>
    run(decline, async () => {
      await store.server.decline(id);
      store.remove(id);
      ctx.go();
    }),
  );
  block.addEventListener("click", () =>
    run(block, async () => {
      await store.server.block(createdBy, true);
      if (store.get(id)?.request) await store.server.decline(id).catch(() => {});
      store.remove(id);
      ctx.go();
    }),
  );
  return el(
    "div",
    { class: "chat-ask", role: "group", "aria-label": t("request.title") },
    el(
      "p",
      {},
      personName(createdBy, { class: "chat-author" }),
      " ",
      t(kind === "direct" ? "request.direct" : "request.group"),
      el("span", { class: "muted small" }, t("request.hint")),
    ),
    el("div", { class: "row" }, block, decline, accept),
  );
}
