/** The inspector: every frame of every connection, the older APIs' endpoints, and a form to send. */

import { el, icon } from "../../lib/dom.js";
import { RawConnections, connectionList } from "./connections.js";
import { frameList } from "./rows.js";
import { sendForm } from "./send.js";

let stop = [];

export const screen = {
  mount(root, ctx) {
    const { t } = ctx;
    const raw = new RawConnections(ctx);
    const connections = connectionList(ctx, raw);
    const frames = frameList(ctx);
    stop = [connections.stop, frames.stop, () => raw.closeAll()];
    root.append(
      el(
        "header",
        { class: "inspector-head row" },
        el("h2", { class: "grow" }, t("title")),
        el("kbd", { class: "inspector-key", "aria-hidden": "true" }, "`"),
        el("button", { type: "button", class: "icon-button", "aria-label": t("close"), onclick: ctx.close }, icon("close")),
      ),
      sendForm(ctx, raw),
      connections.element,
      frames.tools,
      frames.element,
    );
  },
  update() {},
  unmount() {
    for (const end of stop.splice(0)) end();
  },
  catchUp() {},
};
