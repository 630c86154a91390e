/** A swipe on touch: the element follows the finger sideways, and past a third of it, `done` runs. */

const PART = 3;
/** A finger that has moved so far sideways, and less up or down, means it. */
const BEGIN_PX = 12;

export function onSwipe(element, done) {
  let start = null;
  let moved = 0;

  const follow = (distance) => {
    moved = distance;
    element.style.setProperty("--swipe", `${distance}px`);
    element.classList.toggle("swiping", distance !== 0);
  };
  const end = (event) => {
    if (event.pointerId !== start?.id) return;
    const far = event.type === "pointerup" && Math.abs(moved) > element.offsetWidth / PART;
    if (moved !== 0) element.addEventListener("click", (click) => click.stopPropagation(), { capture: true, once: true });
    start = null;
    follow(0);
    if (far) done();
  };
  element.addEventListener("pointerdown", ({ pointerType, pointerId: id, clientX: x, clientY: y }) => {
    if (pointerType !== "mouse") start = { id, x, y };
  });
  element.addEventListener("pointermove", (event) => {
    if (event.pointerId !== start?.id) return;
    const sideways = event.clientX - start.x;
    if (moved === 0 && Math.abs(sideways) < Math.max(BEGIN_PX, Math.abs(event.clientY - start.y))) return;
    if (moved === 0) element.setPointerCapture?.(event.pointerId);
    follow(sideways || 1);
  });
  element.addEventListener("pointerup", end);
  element.addEventListener("pointercancel", end);
}
