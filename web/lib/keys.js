/** The keyboard: shortcuts of the page, and moving among the items of a group. */

/** Whether the key was typed into something that takes text. */
export function isTyping(event) {
  const target = event.composedPath()[0];
  return target instanceof Element && target.matches("input, textarea, select, [contenteditable]");
}

/** Call `run` on Ctrl+Enter or ⌘+Enter inside `element`. */
export function onSubmitKey(element, run) {
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
      event.preventDefault();
      run(event);
    }
  });
}

/**
 * Make a group of items one tab stop: arrows, Home and End move among those that match `selector`.
 *
 * `direction` is `horizontal`, `vertical` or `both`. Call the result after items have changed.
 */
export function roving(group, selector, { direction = "both", moved } = {}) {
  const items = () =>
    [...group.querySelectorAll(selector)].filter((item) => !item.disabled && !item.hidden);
  const choose = (item) => {
    for (const other of group.querySelectorAll(selector)) other.tabIndex = other === item ? 0 : -1;
  };
  const settle = () => {
    const all = items();
    const kept = all.find((item) => item.tabIndex === 0 && item.matches("[tabindex]"));
    const marked = all.find((item) => item.matches("[aria-selected=true], [aria-current], [aria-checked=true]"));
    choose(kept ?? marked ?? all[0]);
  };
  group.addEventListener("focusin", ({ target }) => {
    const item = target.closest(selector);
    if (item && group.contains(item)) choose(item);
  });
  group.addEventListener("keydown", (event) => {
    // With a modifier they mean something else, to the page or to the browser.
    if (event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = items();
    const at = all.indexOf(event.target.closest(selector));
    if (at < 0 || event.target.matches("input, textarea, select")) return;
    const ways = {
      ...(direction !== "vertical" && { ArrowRight: 1, ArrowLeft: -1 }),
      ...(direction !== "horizontal" && { ArrowDown: 1, ArrowUp: -1 }),
    };
    let next;
    if (event.key in ways) next = all[(at + ways[event.key] + all.length) % all.length];
    else if (event.key === "Home") next = all[0];
    else if (event.key === "End") next = all.at(-1);
    if (!next) return;
    event.preventDefault();
    choose(next);
    next.focus();
    moved?.(next);
  });
  settle();
  return settle;
}
