/** How far each place was scrolled, so that going back leads to where one was. */

/** Lists read what they show after the screen is there; it is waited for so long. */
const PATIENCE_MS = 2000;
/** What the reader does to scroll ends the waiting. */
const OWN_WAYS = ["wheel", "touchmove", "keydown", "pointerdown"];

class Scrolls {
  #kept = new Map();
  #place = null;
  #stop = () => {};

  constructor() {
    history.scrollRestoration = "manual";
    addEventListener("scroll", () => this.#keep(), { passive: true });
  }

  /** The screen is about to go: what scrolls now is no wish of the reader. */
  leave() {
    this.#stop();
    this.#place = null;
  }

  /** The screen of `place` is there: scroll `content` to where it was, as soon as it is that long. */
  arrive(place, content) {
    this.#stop();
    const wanted = this.#kept.get(place) ?? 0;
    const settle = () => {
      if (document.documentElement.scrollHeight - innerHeight < wanted) return;
      scrollTo(0, wanted);
      this.#stop();
    };
    const growth = new ResizeObserver(settle);
    const end = () => this.#stop();
    const timer = setTimeout(end, PATIENCE_MS);
    this.#stop = () => {
      growth.disconnect();
      clearTimeout(timer);
      for (const way of OWN_WAYS) removeEventListener(way, end);
      this.#place = place;
      this.#stop = () => {};
    };
    for (const way of OWN_WAYS) addEventListener(way, end, { passive: true });
    if (wanted === 0) scrollTo(0, 0);
    growth.observe(content);
    settle();
  }

  clear() {
    this.#kept.clear();
  }

  #keep() {
    if (this.#place !== null) this.#kept.set(this.#place, scrollY);
  }
}

export const scrolls = new Scrolls();
