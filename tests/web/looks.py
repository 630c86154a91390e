"""How a page looks: sizes, schemes and forced colours, and texts that try its edges."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.web.browsers import Person

SIZES = ((320, 640), (390, 844), (768, 1024), (1440, 900), (1920, 1080))

HOSTILE = (
    "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>",
    '"><svg onload=document.title="taken">',
    "javascript:document.title='taken'//",
    "{{constructor.constructor('document.title=1')()}} ${document.title=1}",
    "\u202eright to left \u2066 and isolated",
    "مرحبا بالعالم שלום עולם",
    "a" * 200,
    "👩‍👩‍👧‍👦🏳️‍🌈 e" + "\u0301" * 20,
)
"""Texts for every field of a screen: each is shown letter by letter, and changes nothing."""

OUTSIDE = """
const width = document.documentElement.clientWidth;
return [...document.querySelectorAll("body *")]
  .filter((element) => element.checkVisibility({ visibilityProperty: true }))
  .filter((element) => !element.closest(".unseen, .skip, svg"))
  .filter((element) => {
    const { left, right } = element.getBoundingClientRect();
    if (right <= width + 0.5 && left >= -0.5) return false;
    // What a part scrolls sideways by itself (tabs, strips) is no fault.
    for (let up = element.parentElement; up !== document.body; up = up.parentElement) {
      if (getComputedStyle(up).overflowX !== "visible") return false;
    }
    return true;
  })
  .map((element) => `${element.tagName}.${element.getAttribute("class") ?? ""}`);
"""
SMALL = """
return [...document.querySelectorAll("a, button, input, select, textarea, summary")]
  .filter((element) => element.checkVisibility({ visibilityProperty: true }))
  .filter((element) => !element.closest(".unseen, .skip") && !element.matches("p a, [type=hidden]"))
  .filter((element) => {
    // Around a checkbox its label is pressed.
    const { width, height } = (element.closest("label") ?? element).getBoundingClientRect();
    return width > 0 && (width < 24 || height < 24);
  })
  .map((element) => element.outerHTML.slice(0, 200));
"""


def resize(person: Person, size: tuple[int, int]) -> None:
    """Return the window another size; below 600 it is a phone."""
    width, height = size
    person.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )


@contextmanager
def preferring(person: Person, **features: str) -> Iterator[None]:
    """Let the reader prefer something: `color_scheme="dark"`, `forced_colors="active"`.

    Also `reduced_motion="reduce"`.
    """
    names = {"color_scheme": "prefers-color-scheme", "reduced_motion": "prefers-reduced-motion"}
    wanted = [
        {"name": names.get(name, name.replace("_", "-")), "value": value}
        for name, value in features.items()
    ]
    set_media = "Emulation.setEmulatedMedia"
    person.driver.execute_cdp_cmd(set_media, {"features": wanted})
    try:
        yield
    finally:
        person.driver.execute_cdp_cmd(
            set_media, {"features": [{**feature, "value": ""} for feature in wanted]}
        )


def outside(person: Person) -> list[str]:
    """Return the elements that stand out of the window sideways; [] when all fits."""
    found: list[str] = person.driver.execute_script(OUTSIDE)
    width = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    scroll, client = person.driver.execute_script(width)
    return found + ([f"the page scrolls sideways: {scroll}"] if scroll > client else [])


def too_small(person: Person) -> list[str]:
    """Return the controls that are smaller than 24 px, the least that WCAG 2.2 allows."""
    found: list[str] = person.driver.execute_script(SMALL)
    return found
