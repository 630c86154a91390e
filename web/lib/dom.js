/** Building the page from nodes. Strings become text nodes here, never markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 *
 * Attributes whose name starts with "on" are event listeners; `class` may be a list; `dataset` is an
 * object; `true` sets an empty attribute; `false`, `null` and `undefined` leave it out. Children are
 * nodes, strings (text), lists of these, or nothing (`null`, `undefined`, `false`).
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on") && typeof value === "function") {
      element.addEventListener(name.slice(2), value);
    } else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name === "class" && Array.isArray(value)) {
      element.className = value.filter(Boolean).join(" ");
    } else if (name === "value" && "value" in element) element.value = value ?? "";
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

/** An icon of `icons.svg` by its name; silent to screen readers unless it has a `label`. */
export function icon(name, { label, size = 20 } = {}) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("width", size);
  svg.setAttribute("height", size);
  svg.setAttribute("viewBox", "0 0 24 24");
  if (label) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
  } else {
    svg.setAttribute("aria-hidden", "true");
  }
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Make an SVG element: charts and drawn faces. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

export function byId(id) {
  return document.getElementById(id);
}

/**
 * Make the children of `parent` those of `items`, in their order, keeping the nodes of known keys.
 *
 * `make(item)` builds a node, `update(node, item)` changes a kept one. A kept node keeps focus,
 * selection, scroll position and running transitions.
 */
export function reconcile(parent, items, { key, make, update }) {
  const known = new Map();
  for (const child of parent.children) if (child.dataset.key) known.set(child.dataset.key, child);
  const wanted = items.map((item) => {
    const name = String(key(item));
    let node = known.get(name);
    if (node) {
      known.delete(name);
      update?.(node, item);
    } else {
      node = make(item);
      node.dataset.key = name;
    }
    return node;
  });
  for (const node of known.values()) node.remove();
  let place = parent.firstElementChild;
  for (const node of wanted) {
    if (node === place) place = place.nextElementSibling;
    // Moving keeps the focus, where the browser can; inserting anew loses it.
    else if (node.parentNode === parent && parent.moveBefore) parent.moveBefore(node, place);
    else parent.insertBefore(node, place);
  }
}

/** Put `text` where it is not yet, so that nothing is said or drawn again for the same text. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** User content of unknown direction, isolated so that it does not reorder its surroundings. */
export function bdi(text, attributes = {}) {
  return el("bdi", attributes, text);
}

/** Say something to screen readers without moving the focus. */
export function announce(text) {
  const place = byId("announcer");
  // The same words twice are said twice only when the text has changed in between.
  place.textContent = "";
  requestAnimationFrame(() => {
    place.textContent = text;
  });
}

let ids = 0;

/** An id that no other element has. */
export function freshId(prefix = "id") {
  ids += 1;
  return `${prefix}-${ids}`;
}

/** Whether the reader asked for less motion. */
export function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
