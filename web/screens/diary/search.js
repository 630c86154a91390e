/** Finding entries again: by their text, tag, mood and days; each search has an address. */

import { el } from "../../lib/dom.js";
import { field, form } from "../../lib/forms.js";
import { listView } from "../../lib/listview.js";
import { MOODS } from "./data.js";
import { entryRows } from "./entryrows.js";

/** The parts of a search in the order of its address. */
const NAMES = ["text", "tag", "mood", "from", "to"];
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** What an address asks for (`search/text/sea/mood/4`), or null where it is no search. */
export function searchOf([place, ...pairs]) {
  if (place !== "search") return null;
  const wanted = {};
  for (let n = 0; n + 1 < pairs.length; n += 2) {
    const [name, value] = [pairs[n], pairs[n + 1].trim()];
    if (NAMES.includes(name) && isValid(name, value)) wanted[name] = value;
  }
  return wanted;
}

/** The address of a search, to be given to `ctx.href`. */
export function placeOf(wanted) {
  return ["search", ...NAMES.flatMap((name) => (wanted[name] ? [name, wanted[name]] : []))];
}

function isValid(name, value) {
  if (name === "mood") return MOODS.includes(Number(value));
  if (name === "from" || name === "to") return DAY.test(value);
  return value !== "";
}

export function searchPart(ctx, diary) {
  const { t, format } = ctx;
  let wanted = {};
  const tags = el("datalist", { id: "diary-tags" });
  const any = { value: "", label: t("search.mood.any") };
  const fields = [
    field({ name: "text", label: t("search.text"), type: "search", maxlength: "100", autocomplete: "off", dir: "auto" }),
    field({ name: "tag", label: t("search.tag"), autocomplete: "off", list: tags.id, dir: "auto" }),
    field({ name: "mood", label: t("chart.mood"), type: "select", options: [any, ...MOODS.map((mood) => ({ value: String(mood), label: t(`mood.${mood}`) }))] }),
    field({ name: "from", label: t("search.from"), type: "date" }),
    field({ name: "to", label: t("search.to"), type: "date" }),
  ];
  const [text] = fields;
  const asking = form({
    fields,
    layout: [text.element, el("div", { class: "diary-fields" }, fields.slice(1).map(({ element }) => element)), tags],
    action: t("search"),
    extra: [el("a", { class: "button", href: ctx.href(...placeOf({})) }, t("search.clear"))],
    attributes: { role: "search", class: "stack" },
    async submit({ tag, ...values }) {
      if (values.from && values.to && values.from > values.to) throw { fields: { to: t("search.order") } };
      const next = { ...values, tag: tag.replace(/^#/, "").trim() };
      // The same once more asks again.
      if (ctx.href(...placeOf(next)) === ctx.href(...placeOf(wanted))) return results.reload();
      return ctx.go(...placeOf(next));
    },
  });
  const rows = entryRows(ctx, diary, {
    heading: ({ date }) => el("p", { class: "small" }, el("a", { href: ctx.href(date) }, format.date(date, { dateStyle: "full" }))),
  });
  const results = listView(ctx, {
    load: async (after) => {
      let page = await diary.search(wanted, after);
      // In a long diary the server may have looked through a part and found nothing in it.
      while (page.items.length === 0 && page.next) page = await diary.search(wanted, page.next);
      if (!after) ctx.announce(page.items.length ? t("search.found") : t("search.none"));
      return page;
    },
    key: ({ id }) => id,
    ...rows,
    label: t("search.results"),
    empty: { text: t("search.none") },
  });
  diary.addEventListener("changed", () => {
    // What is changed or deleted shows it, and stays in its place until one searches again.
    if (diary.found.size > 0 || results.items.length > 0) results.show(diary.inFound(results.items));
  });

  return {
    element: el("div", { class: "diary-search", hidden: true }, el("section", { class: "card" }, el("h2", {}, t("search.title")), asking.element), el("section", { class: "card" }, el("h2", {}, t("search.results")), results.element)),
    dispose: results.dispose,
    reload: results.reload,
    focus: () => text.input.focus(),
    /** Show what a search finds. */
    show(search) {
      wanted = search;
      asking.clear();
      for (const { name, input } of fields) input.value = search[name] ?? "";
      diary.tags().then(
        (items) => tags.replaceChildren(...items.map((value) => el("option", { value }))),
        () => {
          // A tag can be typed without being offered.
        },
      );
      return results.reload();
    },
  };
}
