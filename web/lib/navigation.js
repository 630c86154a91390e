/** The rail of a desktop and the bar of a phone: the same places, with their badges. */

import { el, icon } from "./dom.js";
import { badge } from "./format.js";
import { t } from "./i18n.js";
import { menuOf } from "./menu.js";
import { go, hrefTo } from "./router.js";

/** Build the places of `screens` in `place`; returns `{current, count}`. */
export function navigation(place, screens, { inspect }) {
  const counts = new Map();
  const links = new Map();
  place.setAttribute("aria-label", t("nav.label"));

  for (const screen of screens.filter((known) => known.place === "main")) {
    links.set(screen.id, link(screen));
  }
  const account = screens.filter((known) => known.place === "more");
  for (const screen of account) links.set(screen.id, link(screen, "rail-end"));
  const more = el(
    "button",
    { type: "button", class: "place place-more" },
    icon("more", { size: 22 }),
    el("span", { class: "place-name" }, t("nav.more")),
  );
  menuOf(more, () => [
    ...account.map((screen) => ({
      label: t(screen.title),
      icon: screen.icon,
      run: () => go([screen.id]),
    })),
    { label: t("screen.inspector"), icon: "inspector", run: inspect },
  ]);
  const inspector = el(
    "button",
    { type: "button", class: "place rail-end", id: "open-inspector", title: "`", onclick: inspect },
    icon("inspector", { size: 22 }),
    el("span", { class: "place-name" }, t("screen.inspector")),
  );
  const main = [...links].filter(([id]) => !account.some((screen) => screen.id === id));
  place.replaceChildren(
    el("a", { class: "mark", href: hrefTo(screens[0].id), "aria-label": t("app.name") }, icon("mark", { size: 28 })),
    ...main.map(([, element]) => element),
    more,
    el("span", { class: "rail-gap" }),
    inspector,
    ...account.map((screen) => links.get(screen.id)),
  );

  function link(screen, kind = "") {
    return el(
      "a",
      { class: ["place", kind], href: hrefTo(screen.id), dataset: { screen: screen.id } },
      icon(screen.icon, { size: 22 }),
      el("span", { class: "place-name" }, t(screen.title)),
      el("span", { class: "badge", hidden: true, "aria-hidden": "true" }),
      el("span", { class: "unseen" }),
    );
  }

  return {
    /** Mark where one is. */
    current(id) {
      for (const [known, element] of links) {
        if (known === id) element.setAttribute("aria-current", "page");
        else element.removeAttribute("aria-current");
      }
    },
    /** Show how much is unread there. */
    count(id, count) {
      counts.set(id, count);
      const element = links.get(id);
      if (!element) return;
      const title = t(screens.find((screen) => screen.id === id).title);
      const shown = element.querySelector(".badge");
      shown.hidden = count === 0;
      shown.textContent = badge(count);
      // The name that is shown is said once, together with the count.
      element.querySelector(".place-name").setAttribute("aria-hidden", String(count > 0));
      element.querySelector(".unseen").textContent = count ? t("nav.unread", { title, count }) : "";
    },
  };
}
