/** A drawing of what the page is about: what is said in one window shows in the other. */

import { svg } from "../../lib/dom.js";

/** Two windows; it says nothing that the words beside it do not say. */
export function preview() {
  return svg(
    "svg",
    { class: "preview", viewBox: "0 0 420 150", "aria-hidden": "true" },
    frame(1, 1, [
      bubble(16, 34, 74, "other"),
      bubble(70, 62, 88, "own"),
      svg("g", { class: "preview-new" }, bubble(50, 90, 108, "own")),
    ]),
    svg("path", { class: "preview-wave", d: "M196 66a14 14 0 0 1 0 20M204 58a26 26 0 0 1 0 36" }),
    frame(229, 15, [
      bubble(84, 34, 74, "own"),
      svg("circle", { class: "preview-face", cx: 24, cy: 73, r: 8 }),
      bubble(40, 62, 88, "other"),
      svg(
        "g",
        { class: "preview-new preview-arrived" },
        svg("circle", { class: "preview-face", cx: 24, cy: 101, r: 8 }),
        bubble(40, 90, 108, "other"),
      ),
    ]),
  );
}

function frame(x, y, inside) {
  return svg(
    "g",
    { transform: `translate(${x} ${y})` },
    svg("rect", { class: "preview-frame", width: 174, height: 130, rx: 10 }),
    svg("path", { class: "preview-line", d: "M0 22h174" }),
    [12, 22, 32].map((cx) => svg("circle", { class: "preview-dot", cx, cy: 11, r: 2.5 })),
    inside,
  );
}

function bubble(x, y, width, whose) {
  return svg("rect", { class: `preview-${whose}`, x, y, width, height: 21, rx: 10 });
}
