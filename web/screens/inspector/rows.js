/** The list of frames: newest first, drawn at most once a picture, built when it is opened. */

import { addressOf as absolute } from "../../lib/address.js";
import { bdi, el, reconcile } from "../../lib/dom.js";
import { roving } from "../../lib/keys.js";
import { addressOf, doors } from "./doors.js";
import { codeFor, kindsFor } from "./snippets.js";
import { jsonTree, parsed, visible } from "./tree.js";

/** More rows than this are hard to read. */
const SHOWN = 200;
const ARROWS = { in: "↓", out: "↑", note: "·" };

/** Returns `{tools, element, stop}`. */
export function frameList(ctx) {
  const { t } = ctx;
  const filter = filterOf(t);
  const element = el("ol", { class: "inspector-frames", "aria-label": t("frames") });
  const empty = el("p", { class: "muted small inspector-empty", hidden: true }, t("frames.empty"));
  let paused = false;
  let drawn = 0;

  const draw = () => {
    drawn = 0;
    const wanted = filter.value;
    const shown = ctx.frames.list().filter(({ connection }) => !wanted || connection === wanted);
    reconcile(element, shown.slice(-SHOWN).reverse(), { key: ({ id }) => id, make: (frame) => rowOf(ctx, frame) });
    empty.hidden = shown.length > 0;
    settle();
  };
  // Hundreds of frames may come between two pictures of the screen: they are drawn together.
  const soon = () => {
    if (!paused) drawn ||= setTimeout(draw, DRAW_MS);
  };
  const settle = roving(element, ".inspector-frame > details > summary", { direction: "vertical" });
  const pause = el("button", { type: "button", class: "quiet small", "aria-pressed": "false" }, t("pause"));
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    if (!paused) draw();
  });
  const clear = el("button", { type: "button", class: "quiet small", onclick: () => ctx.frames.clear() }, t("clear"));
  filter.addEventListener("change", draw);
  ctx.frames.addEventListener("frame", soon);
  ctx.frames.addEventListener("cleared", draw);
  draw();
  return {
    tools: el("div", { class: "row inspector-tools" }, filter, pause, clear),
    element: el("div", {}, element, empty),
    stop() {
      clearTimeout(drawn);
      ctx.frames.removeEventListener("frame", soon);
      ctx.frames.removeEventListener("cleared", draw);
    },
  };
}

const DRAW_MS = 50;

function filterOf(t) {
  const option = (value) => el("option", { value }, value);
  return el(
    "select",
    { class: "grow", "aria-label": t("filter") },
    el("option", { value: "" }, t("filter.all")),
    el("optgroup", { label: "Socket.IO" }, doors.filter(({ kind }) => kind === "socketio").map((door) => option(addressOf(door)))),
    el("optgroup", { label: t("older") }, doors.filter(({ kind }) => kind === "raw").map((door) => option(addressOf(door)))),
    option("REST"),
  );
}

function rowOf(ctx, frame) {
  const { t } = ctx;
  const { at, connection, direction, name, payload, cut } = frame;
  const details = el(
    "details",
    {},
    el(
      "summary",
      {},
      el("span", { class: "inspector-arrow", title: t(direction) }, ARROWS[direction], el("span", { class: "unseen" }, t(direction))),
      bdi(visible(name), { class: "mono cut grow" }),
      el("span", { class: "muted small" }, connection),
      el("time", { class: "muted small numbers" }, ctx.format.clock(at)),
    ),
  );
  const fill = () => {
    if (!details.open || details.childElementCount > 1) return;
    details.append(jsonTree(parsed(payload)));
    if (cut) details.append(el("p", { class: "muted small" }, t("frame.cut")));
    else if (direction === "out") details.append(copiers(ctx, frame));
  };
  details.addEventListener("toggle", fill);
  return el("li", { class: ["inspector-frame", `frame-${direction}`] }, details);
}

/** Buttons that copy a frame as code which sends it again. */
export function copiers(ctx, { connection, name, payload }) {
  const { t } = ctx;
  return el(
    "div",
    { class: "row inspector-copy" },
    kindsFor(connection).map((kind) =>
      el(
        "button",
        {
          type: "button",
          class: "quiet small",
          onclick: () => copy(ctx, codeFor(kind, { connection, name, payload, origin: absolute("/") })),
        },
        t("copy", { kind: t(`code.${kind}`) }),
      ),
    ),
  );
}

/** Copy text; a browser may not allow it. */
export async function copy(ctx, text) {
  try {
    await navigator.clipboard.writeText(text);
    ctx.toast(ctx.t("copied"), { kind: "ok" });
  } catch {
    ctx.toast(ctx.t("copy.failed"), { kind: "error" });
  }
}
