/** Keeps the reader's place: at the end, or at the row that is first on screen. */

/** So near to the end counts as being there. */
const NEAR_END = 40;

/**
 * `pinned` says whether the reader is at the end. Rows may change, grow or come above: `hold()`, which
 * is called after each of it and whenever a size changes, puts the reader back where they were.
 */
export class Scroll {
  #scroller;
  #rows;
  #isWhole;
  #anchor = null;
  #sizes;
  #onScroll;
  pinned = true;
  moved = null;

  /** @param isWhole whether the end of the list is the end of the conversation. */
  constructor(scroller, rows, isWhole) {
    this.#scroller = scroller;
    this.#rows = rows;
    this.#isWhole = isWhole;
    this.#onScroll = () => {
      this.#look();
      this.moved?.();
    };
    scroller.addEventListener("scroll", this.#onScroll, { passive: true });
    // Pictures load, fonts and windows change: all of it before it is painted.
    this.#sizes = new ResizeObserver(() => this.hold());
    this.#sizes.observe(scroller);
    this.#sizes.observe(rows.parentElement);
  }

  dispose() {
    this.#sizes.disconnect();
    this.#scroller.removeEventListener("scroll", this.#onScroll);
  }

  toEnd() {
    this.pinned = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#look();
  }

  /** Show an element of the list, `part` of the height below the top. */
  show(element, part) {
    const { top } = element.getBoundingClientRect();
    const own = this.#scroller.getBoundingClientRect();
    this.#scroller.scrollTop += top - own.top - own.height * part;
    this.pinned = false;
    this.#look();
  }

  hold() {
    if (this.pinned && this.#isWhole()) {
      this.#scroller.scrollTop = this.#scroller.scrollHeight;
      return;
    }
    const { node, top } = this.#anchor ?? {};
    if (!node?.isConnected) return this.#look();
    const moved = this.#topOf(node) - top;
    if (Math.abs(moved) > 0.5) this.#scroller.scrollTop += moved;
  }

  /** Whether the message with this seq has been on screen: its end is above that of the list. */
  isSeen(seq) {
    const row = this.#rows.querySelector(`[data-seq="${seq}"]`);
    if (!row) return false;
    return row.getBoundingClientRect().bottom <= this.#scroller.getBoundingClientRect().bottom + 8;
  }

  #look() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    this.pinned = scrollHeight - scrollTop - clientHeight < NEAR_END && this.#isWhole();
    const rows = this.#rows.children;
    let low = 0;
    let high = rows.length;
    const edge = this.#scroller.getBoundingClientRect().top;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].getBoundingClientRect().bottom <= edge) low = middle + 1;
      else high = middle;
    }
    const node = rows[low];
    this.#anchor = node ? { node, top: this.#topOf(node) } : null;
  }

  #topOf(node) {
    return node.getBoundingClientRect().top - this.#scroller.getBoundingClientRect().top;
  }
}
