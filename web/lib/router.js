/** Where in the page one is: `#/chat/general` is the screen `chat` with the params `["general"]`. */

/** Read a hash. */
export function parse(hash) {
  const path = hash.replace(/^#\/?/, "").split("?")[0];
  const [screen, ...params] = path.split("/").filter(Boolean).map(decode);
  return { screen: screen ?? "", params };
}

/** The hash of a place: `hrefTo("chat", "general")` is `#/chat/general`. */
export function hrefTo(screen, ...params) {
  return `#/${[screen, ...params].map((part) => encodeURIComponent(part)).join("/")}`;
}

/** Go somewhere; `replace` leaves no way back to where one is. */
export function go(place, { replace = false } = {}) {
  const hash = typeof place === "string" ? place : hrefTo(...place);
  if (hash === location.hash) return;
  if (replace) {
    history.replaceState(history.state, "", hash);
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else location.hash = hash;
}

const LINKS = [
  [/^\/orders\/([1-9]\d*)$/, (id) => hrefTo("market", "orders", id)],
  [/^\/products\/([1-9]\d*)$/, (id) => hrefTo("market", id)],
  [/^\/?(#\/.*)$/, (hash) => hash],
];

/** The place of a notification's `link` (`/orders/12`), or null where it leads out of the page. */
export function placeOf(link) {
  for (const [pattern, place] of LINKS) {
    const [, found] = pattern.exec(link ?? "") ?? [];
    if (found) return place(found);
  }
  return null;
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
