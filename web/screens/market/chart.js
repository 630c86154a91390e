/** A chart of daily prices, as a line or as candles, in SVG; and the same as a table. */

import { el, setText, svg } from "../../lib/dom.js";

const DAY_MS = 86_400_000;
const HEIGHT = 240;
const BOTTOM = 24;
const TOP = 12;
/** What the volume's bars take of the height, at most. */
const VOLUME = 36;
const LINES = 4;
const RANGES = [30, 90, 365];

/** The days of the last `range` days up to `today` (`2026-11-25`), as the API has them. */
export function within(daily, range, today) {
  const first = new Date(Date.parse(today) - (range - 1) * DAY_MS).toISOString().slice(0, 10);
  return daily.filter(({ day }) => day >= first);
}

/** Round prices between two others, about `count` of them, lowest first. */
export function roundPrices(low, high, count = LINES) {
  const rough = (high - low) / count || Math.abs(high) / count || 1;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = magnitude * [1, 2, 5, 10].find((each) => each * magnitude >= rough * 0.999);
  const prices = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n += 1) prices.push(n * step);
  return prices;
}

/**
 * Build the chart; returns `{element, show(daily), dispose}`. `chosen` keeps what the reader chose,
 * `{range, kind}`. The plot is one tab stop, a slider over the days: arrows move its crosshair, and
 * its value says the day's prices.
 */
export function salesChart(ctx, chosen) {
  const { t, format } = ctx;
  let daily = [];
  let days = [];
  let at = null;
  let scale = null;

  const choice = (label, name, values) => {
    const buttons = values.map(({ value, text, long }) =>
      el(
        "button",
        {
          type: "button",
          dataset: { [name]: value },
          "aria-pressed": String(chosen[name] === value),
          onclick: () => {
            chosen[name] = value;
            for (const each of buttons) each.setAttribute("aria-pressed", String(each.dataset[name] === String(value)));
            at = null;
            draw();
          },
        },
        long ? [el("span", { "aria-hidden": "true" }, text), el("span", { class: "unseen" }, long)] : text,
      ),
    );
    return el("div", { class: "segments", role: "group", "aria-label": label }, buttons);
  };
  const choices = el(
    "div",
    { class: "market-choices" },
    choice(t("chart.kind"), "kind", ["line", "candles"].map((value) => ({ value, text: t(`chart.${value}`) }))),
    choice(
      t("chart.range"),
      "range",
      RANGES.map((value) => ({ value, text: t(`range.${value}`), long: t("range", { count: value }) })),
    ),
  );
  const readout = el("p", { class: "market-readout numbers", "aria-hidden": "true" });
  const drawing = svg("svg", { "aria-hidden": "true", height: HEIGHT });
  const plot = el(
    "div",
    { class: "market-plot", role: "slider", tabindex: "0", "aria-label": t("chart"), "aria-valuemin": "1" },
    drawing,
  );
  const none = el("p", { class: "market-none muted", hidden: true }, t("sales.none"));
  const rows = el("tbody", {});
  const table = el(
    "details",
    {},
    el("summary", {}, t("chart.table")),
    el(
      "div",
      { class: "market-rows", tabindex: "0", role: "group", "aria-label": t("chart.prices") },
      el(
        "table",
        { class: "market-quotes numbers" },
        el("caption", { class: "unseen" }, t("chart.prices")),
        el(
          "thead",
          {},
          el("tr", {}, ["day", "open", "high", "low", "close", "volume"].map((key) => el("th", { scope: "col" }, t(key)))),
        ),
        rows,
      ),
    ),
  );
  const element = el("figure", { class: "market-chart" }, choices, readout, plot, none, table);

  const choose = (index) => {
    at = Math.min(days.length - 1, Math.max(0, index));
    drawCrosshair();
  };
  plot.addEventListener("keydown", (event) => {
    const from = at ?? days.length - 1;
    const to = {
      ArrowLeft: from - 1,
      ArrowDown: from - 1,
      ArrowRight: from + 1,
      ArrowUp: from + 1,
      PageUp: from + 7,
      PageDown: from - 7,
      Home: 0,
      End: days.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(to);
  });
  const leave = () => {
    at = null;
    drawCrosshair();
  };
  plot.addEventListener("pointermove", (event) => {
    if (!scale) return;
    const x = event.clientX - plot.getBoundingClientRect().left;
    const distance = days.map((each) => Math.abs(scale.x(each.day) - x));
    choose(distance.indexOf(Math.min(...distance)));
  });
  plot.addEventListener("pointerleave", () => plot.matches(":focus-visible") || leave());
  plot.addEventListener("blur", leave);
  const resized = new ResizeObserver(() => plot.clientWidth !== scale?.width && draw());
  resized.observe(plot);

  function draw() {
    const today = new Date().toISOString().slice(0, 10);
    days = within(daily, chosen.range, today);
    if (at !== null) at = Math.min(at, days.length - 1);
    const empty = days.length === 0;
    none.hidden = !empty;
    plot.hidden = readout.hidden = table.hidden = empty;
    choices.hidden = daily.length === 0;
    setText(none, t(daily.length === 0 ? "sales.none" : "sales.none.range"));
    drawing.replaceChildren();
    scale = null;
    if (empty) return;
    drawRows();
    if (plot.clientWidth === 0) return;
    scale = scaleOf(today);
    drawing.setAttribute("width", scale.width);
    drawing.append(...axes(), ...bars(), ...(chosen.kind === "line" ? line() : days.map(candle)));
    drawCrosshair();
  }

  function scaleOf(today) {
    const width = plot.clientWidth;
    const low = Math.min(...days.map((each) => Number(each.low)));
    const high = Math.max(...days.map((each) => Number(each.high)));
    const room = (high - low) * 0.08 || high * 0.05;
    const [bottom, top] = [low - room, high + room];
    const prices = roundPrices(bottom, top);
    const step = prices.length > 1 ? prices[1] - prices[0] : 1;
    const labels = prices.map((price) => priceLabel(price, step));
    const right = width - Math.max(...labels.map((text) => text.length)) * 7 - 12;
    const first = Math.max(Date.parse(days[0].day), Date.parse(today) - (chosen.range - 1) * DAY_MS);
    const span = Date.parse(today) - first || DAY_MS;
    return {
      width,
      right,
      prices,
      labels,
      x: (day) => 10 + ((Date.parse(day) - first) / span) * (right - 20),
      y: (price) => TOP + ((top - price) / (top - bottom)) * (HEIGHT - BOTTOM - VOLUME - TOP),
      dayWidth: ((right - 20) * DAY_MS) / span,
    };
  }

  function priceLabel(price, step) {
    const digits = step >= 1 ? 0 : 2;
    const short = price >= 100_000 ? { notation: "compact", maximumFractionDigits: 1 } : {};
    return format.number(price, {
      style: "currency",
      currency: "USD",
      minimumFractionDigits: short.notation ? 0 : digits,
      maximumFractionDigits: digits,
      ...short,
    });
  }

  function axes() {
    const text = (x, y, words, anchor) =>
      svg("text", { x: x.toFixed(1), y: y.toFixed(1), "text-anchor": anchor, class: "market-axis" }, words);
    const nodes = scale.prices.flatMap((price, n) => {
      const y = scale.y(price).toFixed(1);
      return [
        svg("line", { x1: 0, x2: scale.right, y1: y, y2: y, class: "market-grid-line" }),
        text(scale.right + 8, scale.y(price) + 4, scale.labels[n], "start"),
      ];
    });
    const named = days.length > 2 ? [days[0], days[Math.floor(days.length / 2)], days.at(-1)] : days;
    let taken = -Infinity;
    for (const [n, { day }] of named.entries()) {
      const x = scale.x(day);
      const last = n === named.length - 1 && n > 0;
      if (x - taken < 70) continue;
      taken = x;
      const style = { day: "numeric", month: "short" };
      nodes.push(text(x, HEIGHT - 6, format.date(day, style), n === 0 ? "start" : last ? "end" : "middle"));
    }
    return nodes;
  }

  function bars() {
    const most = Math.max(...days.map(({ volume }) => volume));
    const width = Math.max(2, Math.min(14, scale.dayWidth * 0.7));
    return days.map(({ day, volume }) => {
      const height = Math.max(2, (volume / most) * (VOLUME - 8));
      return svg("rect", {
        x: (scale.x(day) - width / 2).toFixed(1),
        y: (HEIGHT - BOTTOM - height).toFixed(1),
        width: width.toFixed(1),
        height: height.toFixed(1),
        class: "market-volume",
      });
    });
  }

  function line() {
    const points = days.map(({ day, close }) => `${scale.x(day).toFixed(1)},${scale.y(close).toFixed(1)}`);
    const ground = HEIGHT - BOTTOM - VOLUME;
    const [from, to] = [points[0], points.at(-1)].map((point) => point.split(",")[0]);
    return [
      svg("polygon", { points: `${from},${ground} ${points.join(" ")} ${to},${ground}`, class: "market-area" }),
      svg("polyline", { points: points.join(" "), class: "market-line" }),
      points.length < 20 &&
        points.map((point) => {
          const [cx, cy] = point.split(",");
          return svg("circle", { cx, cy, r: 3, class: "market-dot" });
        }),
    ]
      .flat()
      .filter(Boolean);
  }

  /** Hollow where the day closed higher than it opened, filled where lower. */
  function candle({ day, open, high, low, close }) {
    const x = scale.x(day);
    const width = Math.max(3, Math.min(14, scale.dayWidth * 0.7));
    const [top, bottom] = [scale.y(Math.max(open, close)), scale.y(Math.min(open, close))];
    return svg(
      "g",
      { class: `market-candle ${Number(close) < Number(open) ? "down" : "up"}` },
      svg("line", { x1: x, x2: x, y1: scale.y(high), y2: top }),
      svg("line", { x1: x, x2: x, y1: bottom, y2: scale.y(low) }),
      svg("rect", { x: x - width / 2, y: top, width, height: Math.max(1, bottom - top) }),
    );
  }

  function drawCrosshair() {
    for (const old of drawing.querySelectorAll(".market-cross")) old.remove();
    if (days.length === 0) return;
    const shown = at ?? days.length - 1;
    const each = days[shown];
    const values = {
      day: format.date(each.day),
      open: format.money(each.open),
      high: format.money(each.high),
      low: format.money(each.low),
      close: format.money(each.close),
      count: each.volume,
    };
    setText(readout, t("chart.value", values));
    plot.setAttribute("aria-valuemax", days.length);
    plot.setAttribute("aria-valuenow", shown + 1);
    plot.setAttribute("aria-valuetext", t("chart.value", values));
    if (at === null || !scale) return;
    const [x, y] = [scale.x(each.day), scale.y(each.close)];
    drawing.append(
      svg("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM, class: "market-cross" }),
      svg("line", { x1: 0, x2: scale.right, y1: y, y2: y, class: "market-cross" }),
      svg("circle", { cx: x, cy: y, r: 5, class: "market-cross" }),
    );
  }

  function drawRows() {
    rows.replaceChildren(
      ...[...days].reverse().map((each) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, format.date(each.day)),
          [each.open, each.high, each.low, each.close].map((price) => el("td", {}, format.money(price))),
          el("td", {}, format.number(each.volume)),
        ),
      ),
    );
  }

  return {
    element,
    show(changed) {
      daily = changed;
      draw();
    },
    dispose: () => resized.disconnect(),
  };
}
