/** Twelve weeks: a heat map of days, mood and completion by week, and a table of each. */

import { calm, el, svg } from "../../lib/dom.js";
import { roving } from "../../lib/keys.js";

const CELL = 7;
const NOTHING = "–";

/** What the weeks show: `{element, draw()}`; a table that is open stays open. */
export function weeksPart(ctx, diary) {
  const { t, format } = ctx;
  const heat = el("div", {});
  const chart = el("figure", { class: ["diary-chart", calm() && "calm"] });
  const byDay = tableOf("days", t("heat.table"), [t("day"), t("entries"), t("chart.mood"), t("chart.done")]);
  const byWeek = tableOf("weeks", t("chart.table"), [t("week"), t("entries"), t("chart.mood"), t("chart.done")]);
  const mood = (value) => (value === null ? NOTHING : format.number(value));

  return {
    element: el("section", { class: "card" }, el("h2", {}, t("weeks")), heat, byDay.element, chart, byWeek.element),
    draw() {
      const { days, weeks } = diary.summary;
      const focused = heat.contains(document.activeElement) && document.activeElement.dataset.date;
      heat.replaceChildren(heatMap(ctx, diary));
      if (focused) heat.querySelector(`[data-date="${focused}"]`)?.focus({ preventScroll: true });
      chart.replaceChildren(
        lines(weeks, t("chart")),
        el("figcaption", { class: "row small" }, el("span", { class: "diary-key mood" }, t("chart.mood")), el("span", { class: "diary-key done" }, t("chart.done"))),
      );
      // A day on which nothing was is no row: screen readers would read some eighty.
      const lived = days.filter(({ entries, tasks_completed: done }) => entries + done > 0).reverse();
      byDay.fill(lived.map((day) => [format.date(day.date), format.number(day.entries), mood(day.mood), format.number(day.tasks_completed)]), t("heat.none"));
      byWeek.fill(
        weeks.map((week) => [
          format.date(week.from),
          format.number(week.entries),
          mood(week.mood),
          week.completion_rate === null ? NOTHING : format.percent(week.completion_rate),
        ]),
      );
    },
  };
}

function tableOf(name, title, columns) {
  const body = el("tbody", {});
  const head = el("thead", {}, el("tr", {}, columns.map((column) => el("th", { scope: "col" }, column))));
  // What scrolls is reached by keyboard.
  const table = el("div", { class: "diary-scrolled", tabindex: "0", role: "group", "aria-label": title }, el("table", { class: "diary-table numbers", "aria-label": title }, head, body));
  return {
    element: el("details", { class: `diary-table-${name}` }, el("summary", {}, title), table),
    fill(rows, none) {
      const filled = rows.map(([first, ...rest]) => el("tr", {}, el("th", { scope: "row" }, first), rest.map((cell) => el("td", {}, cell))));
      body.replaceChildren(...(filled.length > 0 ? filled : [el("tr", {}, el("td", { colspan: String(columns.length) }, none))]));
    },
  };
}

function heatMap(ctx, diary) {
  const { t, format } = ctx;
  const grid = el("div", { class: "diary-heat", role: "group", "aria-label": t("heat") });
  for (const { date, entries, mood, tasks_completed: done } of diary.summary.days) {
    const level = Math.min(4, entries + done);
    const words = t("heat.day", { date: format.date(date), entries, done, mood: mood === null ? NOTHING : format.number(mood) });
    grid.append(
      el("a", {
        class: "diary-day",
        href: date === diary.today ? ctx.href() : ctx.href(date),
        dataset: { level: String(level), date },
        title: words,
        "aria-label": words,
        "aria-current": date === diary.day ? "date" : null,
      }),
    );
  }
  grid.style.setProperty("--rows", CELL);
  roving(grid, ".diary-day");
  return grid;
}

function lines(weeks, label) {
  const x = (n) => 10 + (n * 300) / Math.max(1, weeks.length - 1);
  const series = (values, top, name) => {
    const points = values.map((value, n) => (value === null ? null : [x(n).toFixed(1), (90 - (value / top) * 80).toFixed(1)])).filter(Boolean);
    // A week that stands alone makes no line.
    return [svg("polyline", { class: name, points: points.map((point) => point.join(",")).join(" ") }), points.map(([cx, cy]) => svg("circle", { class: name, cx, cy, r: 2.5 }))];
  };
  return svg(
    "svg",
    { viewBox: "0 0 320 100", role: "img", "aria-label": label },
    series(weeks.map(({ mood }) => mood), 5, "mood"),
    series(weeks.map((week) => week.completion_rate), 1, "done"),
  );
}
