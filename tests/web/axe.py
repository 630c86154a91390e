"""axe-core in the page: what it finds wrong for people who use keyboard or screen reader.

It comes with `npm ci` in `web/`; without it tests that need it skip.
"""

from typing import Any

import pytest

from app.web import WEB
from tests.web.browsers import Person

AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"

needs_axe = pytest.mark.skipif(
    not AXE.is_file(), reason="axe-core is not installed: run `npm ci` in web/"
)

RUN = """
const done = arguments[arguments.length - 1];
axe.run(document.querySelector(arguments[0]) ?? document, {
  resultTypes: ["violations"],
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}).then(
  ({ violations }) => done(violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`))),
  (error) => done([String(error)]),
);
"""
# Elements on their way in are judged where they arrive.
SETTLE = """
const done = arguments[arguments.length - 1];
// One whose element was removed never finishes.
const late = new Promise((resolve) => setTimeout(resolve, 2500));
Promise.race([late, Promise.allSettled(document.getAnimations()
  .filter((motion) => motion.effect.getComputedTiming().endTime < 2000)
  .map((motion) => motion.finished))]).then(() => done());
"""


def violations(person: Person, within: str = "html") -> list[str]:
    """Return what axe finds within a selector: rule, element and reason of each, [] if nothing.

    Use it as `assert violations(person) == []` in each state of a screen, in both schemes
    (`tests.web.looks`).
    """
    driver = person.driver
    if not driver.execute_script("return 'axe' in window"):
        # The source runs as a script of the driver, which the page's policy does not concern.
        driver.execute_script(AXE.read_text(encoding="utf-8") + ";window.axe = axe;")
    driver.execute_async_script(SETTLE)
    found: list[Any] = driver.execute_async_script(RUN, within)
    return [str(entry) for entry in found]
