"""The diary's parts that others see or that come back later: goals, tasks, and two windows."""

from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.web.axe import AXE, violations
from tests.web.browsers import DESKTOP, Person, Server, needs_browser
from tests.web.looks import HOSTILE, outside

pytestmark = [pytest.mark.browser, pytest.mark.timeout(150), needs_browser]

GOAL = "section:has(.diary-goals)"


def open_diary(person: Person) -> None:
    """Go there, and wait for its content."""
    person.go("diary")
    person.until(lambda: person.one(".diary-body").is_displayed())


def fill(person: Person, selector: str, text: str) -> None:
    """Type into a field that is shown."""
    person.until(lambda: person.one(selector).is_displayed())
    person.one(selector).send_keys(text)


def press(person: Person, selector: str) -> None:
    """Scroll it to the middle, clear of a phone's bars, and press it."""
    center = "document.querySelector(arguments[0])?.scrollIntoView({block: 'center'})"
    person.until(lambda: person.all(selector))
    person.driver.execute_script(center, selector)
    person.press(selector)


def test_a_shared_goal_moves_on_both_screens(desktop: Person, phone: Person, lobby: str) -> None:
    """Someone one shares a channel with is picked by name, accepts, and both move it."""
    assert lobby
    for person in (desktop, phone):
        open_diary(person)
    desktop.press(f"{GOAL} .diary-more > summary")
    fill(desktop, f"{GOAL} [name=title]", "Walk 10 km")
    fill(desktop, f"{GOAL} [name=target]", "10")
    fill(desktop, f"{GOAL} [name=unit]", "km")
    desktop.press(".diary-goal-form .diary-more > summary")
    fill(desktop, ".picker input", phone.email.partition("@")[0])
    desktop.press(".picker-options [role=option]")
    desktop.until(lambda: desktop.one(".picker-chosen li"))
    desktop.press(".diary-goal-form [type=submit]")
    desktop.until(lambda: "Walk 10 km" in desktop.text(".diary-goals[aria-label]"))
    press(phone, ".diary-invitation .primary")
    phone.until(lambda: "Walk 10 km" in phone.text(".diary-goals[aria-label]"))
    press(phone, ".diary-goal-foot [type=submit]")
    for person in (desktop, phone):
        person.until(lambda person=person: "1 / 10 km" in person.text(".diary-figures"))
    amount = desktop.one(".diary-goal-foot input")
    amount.clear()
    amount.send_keys("much", Keys.ENTER)
    desktop.until(lambda: desktop.all(".toast"))
    amount.clear()
    amount.send_keys("2,5", Keys.ENTER)
    for person in (desktop, phone):
        person.until(lambda person=person: "3.5 / 10 km" in person.text(".diary-figures"))
    desktop.until(lambda: "You" in desktop.text(".diary-moved"))
    name = desktop.email.partition("@")[0]
    phone.until(lambda: f"Moved by {name}" in phone.text(".diary-moved"))
    # What the owner changes and what a member reaches meanwhile are both there.
    desktop.press(".diary-goals [data-does=edit]")
    fill(desktop, ".diary-goals [name=title]", " by May")
    press(phone, "[data-does=amount]")
    phone.one("[data-does=amount]").clear()
    phone.one("[data-does=amount]").send_keys("7", Keys.ENTER)
    phone.until(lambda: "You" in phone.text(".diary-moved"))
    desktop.press(".diary-goals .diary-editing [type=submit]")
    for person in (desktop, phone):
        person.until(lambda person=person: person.text(".diary-goal-title") == "Walk 10 km by May")
        person.until(lambda person=person: "10.5 / 10 km" in person.text(".diary-figures"))
    friend = phone.email.partition("@")[0]
    desktop.until(lambda: f"Reached by {friend}" in desktop.text(".diary-moved"))
    press(phone, ".diary-goals [data-does=leave]")
    phone.press("dialog[open] .danger")
    phone.until(lambda: not phone.all(".diary-goals[aria-label] > li"))
    desktop.until(lambda: not desktop.all(".diary-moved"))


def test_every_choice_of_a_task_is_taken(desktop: Person) -> None:
    """The server takes each repetition and priority that the form offers."""
    open_diary(desktop)
    offered = """
    const { REPEATS, PRIORITIES } = module;
    const { connection } = (await import(document.querySelector("script[type=module]").src))
      .modules["app.js"].shell;
    for (const repeat of REPEATS) for (const priority of PRIORITIES) {
      const task = { title: `${repeat} ${priority}`, repeat, priority, due_date: "2030-01-01" };
      await connection.request("/diary", "create_task", task);
    }
    return REPEATS.length * PRIORITIES.length;
    """
    assert desktop.module("screens/diary/data.js", offered) == 9


def test_a_goal_of_steps(desktop: Person) -> None:
    """Each line is a step; one that is ticked stays so after a reload."""
    open_diary(desktop)
    desktop.press(f"{GOAL} .diary-more > summary")
    fill(desktop, f"{GOAL} [name=title]", "Learn to sail")
    desktop.press("[data-kind=steps]")
    assert not desktop.one(f"{GOAL} [name=target]").is_displayed()
    desktop.press(".diary-goal-form [type=submit]")
    desktop.until(lambda: desktop.text(".field:has([name=steps]) .error:not([hidden])"))
    fill(desktop, "[name=steps]", "Knots\n\n Wind \nTide")
    desktop.press(".diary-goal-form [type=submit]")
    desktop.until(lambda: len(desktop.all(".diary-goal-foot label")) == 3)
    assert [label.text for label in desktop.all(".diary-goal-foot label")] == [
        "Knots",
        "Wind",
        "Tide",
    ]
    desktop.press(".diary-goal-foot label")
    desktop.until(lambda: "33" in desktop.text(".diary-figures"))
    desktop.driver.refresh()
    desktop.until(lambda: desktop.one(".diary-goal-foot input:checked"))


def test_a_task_with_a_time(desktop: Person) -> None:
    """It is due today at that hour; checked off from the keyboard, the focus stays."""
    open_diary(desktop)
    desktop.press("section:has(.diary-tasks) .diary-more > summary")
    fill(desktop, "section:has(.diary-tasks) [name=title]", "Call home")
    set_value = "document.querySelector(arguments[0]).value = arguments[1]"
    desktop.driver.execute_script(set_value, "[name=due_time]", "18:30")
    desktop.driver.execute_script(set_value, "[name=priority]", "high")
    desktop.press("section:has(.diary-tasks) [type=submit]")
    row = ".diary-tasks > li"
    desktop.until(lambda: "18:30" in desktop.text(row) and "High" in desktop.text(row))
    box = desktop.one(f"{row} input")
    box.send_keys(" ")
    desktop.until(lambda: desktop.one(".diary-tasks > .done"))
    assert desktop.driver.execute_script("return document.activeElement.type") == "checkbox"
    desktop.press(f"{row} [data-does=trash]")
    desktop.press("dialog[open] .danger")
    desktop.until(lambda: not desktop.all(row))


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_are_texts(desktop: Person, text: str) -> None:
    """An entry and a task show what was typed, letter by letter."""
    open_diary(desktop)
    create = """
    const [text] = args;
    for (const [command, payload] of [
      ["create_entry", { text, mood: 3, tags: [] }],
      ["create_task", { title: text.slice(0, 200) }],
      ["create_goal", { title: text.slice(0, 200), kind: "number", target: 3 }],
    ]) await connection.request("/diary", command, payload);
    """
    desktop.connection(create, text)
    for selector in (".diary-text", ".diary-task", ".diary-goals[aria-label] bdi"):
        desktop.until(lambda selector=selector: desktop.text(selector).strip() == text.strip())
    assert desktop.driver.title != "taken"


def test_written_while_away(people: list[Person], tmp_path: Path) -> None:
    """An entry that is written while the server is away is there once when it is back."""
    own = Server(tmp_path / "data")
    own.start()
    person = Person(people[0].driver, own.url, DESKTOP)
    person.sign_up("away@example.com")
    try:
        open_diary(person)
        own.stop()
        person.wait_for_state("reconnecting")
        fill(person, "section:has(.diary-moods) [name=text]", "Written on a train")
        person.press(".diary-moods label:last-child")
        person.press("section:has(.diary-moods) [type=submit]")
        person.until(lambda: person.all(".toast"))
        own.start()
        person.connection("connection.retry();")
        person.wait_for_state("live")
        person.until(lambda: "Written on a train" in person.text(".diary-entry"))
        person.driver.refresh()
        person.wait_for_state("live")
        person.until(lambda: len(person.all(".diary-entry")) == 1)
    finally:
        own.stop()


def test_an_entry_is_changed_in_its_place(devices: tuple[Person, Person]) -> None:
    """What is being changed stays through another day, overwrites nothing, and loses its mood."""
    one, other = devices
    for person in devices:
        open_diary(person)
    fill(one, ".diary-compose [name=text]", "Slept badly")
    one.press(".diary-compose .diary-moods label:first-child")
    one.one(".diary-compose [name=tags]").send_keys("long nights, rain")
    one.press(".diary-compose [type=submit]")
    for person in devices:
        person.until(lambda person=person: person.one(".diary-entry .diary-face"))
    one.press(".diary-entry [data-does=edit]")
    one.one(".diary-entry [name=text]").send_keys(" and long")
    assert one.one(".diary-entry [name=tags]").get_property("value") == "long nights, rain"
    one.press(".diary-head [data-focus=left]")
    one.until(lambda: one.one(".diary-today") and not one.all(".diary-entry"))
    fill(one, ".diary-compose [name=text]", "The day before")
    one.press(".diary-compose [type=submit]")
    one.until(lambda: one.text(".diary-text") == "The day before")
    one.press(".diary-today")
    one.until(lambda: one.all(".diary-entry [name=text]"))
    assert not one.all(".diary-today")
    one.press(".diary-entry .diary-no-mood")
    one.press(".diary-entry [type=submit]")
    for person in devices:
        person.until(lambda person=person: person.text(".diary-text") == "Slept badly and long")
        person.until(lambda person=person: not person.all(".diary-entry .diary-face"))
        assert "#long nights" in person.text(".diary-entry")
    # Esc leaves the change, and the keyboard is where it was.
    one.press(".diary-entry [data-does=edit]")
    one.one(".diary-entry [name=text]").send_keys(" indeed", Keys.ESCAPE)
    one.until(lambda: one.text(".diary-text") == "Slept badly and long")
    assert one.driver.execute_script("return document.activeElement.dataset.does") == "edit"
    other.press(".diary-entry [data-does=trash]")
    other.press("dialog[open] .danger")
    for person in devices:
        person.until(lambda person=person: not person.all(".diary-entry"))


def set_values(person: Person, form: str, **values: str) -> None:
    """Set fields of a form that take no typing in every language."""
    script = "document.querySelector(arguments[0]).value = arguments[1]"
    for name, value in values.items():
        person.driver.execute_script(script, f"{form} [name={name}]", value)


def test_a_task_is_changed_and_falls_due(devices: tuple[Person, Person]) -> None:
    """Everything of it is changed in its place; when it falls due, both screens say so."""
    one, other = devices
    for person in devices:
        open_diary(person)
    one.press("section:has(.diary-tasks) .diary-more > summary")
    fill(one, ".diary-task-form [name=title]", "Call home")
    one.press(".diary-task-form [type=submit]")
    row = ".diary-tasks > li"
    for person in devices:
        person.until(lambda person=person: "Call home" in person.text(row))
    # The form begins anew.
    chosen = one.one("section:has(.diary-tasks) > details [name=priority]").get_property("value")
    assert chosen == "normal"
    one.press(f"{row} [data-does=edit]")
    form = f"{row} .diary-task-form"
    fill(one, f"{form} [name=title]", " today")
    one.one(f"{form} [name=notes]").send_keys("The garden")
    set_values(one, form, due_time="09:30", priority="low")
    one.press(f"{form} [type=submit]")
    # A time without a date is refused, at its field, and nothing that was typed is lost.
    one.until(lambda: one.text(f"{form} .field:has([name=due_time]) .error"))
    set_values(one, form, due_date="2026-01-05", repeat="weekly")
    one.press(f"{form} [type=submit]")
    for person in devices:
        for words in ("Call home today", "The garden", "Low", "Every week", "Late", "9:30"):
            person.until(lambda person=person, words=words: words in person.text(row))
    assert one.driver.execute_script("return document.activeElement.dataset.does") == "edit"
    # Reminders are told once a minute.
    for person in devices:
        waiting = WebDriverWait(person.driver, 75, 0.2)
        waiting.until(lambda _, person=person: person.all(".diary-due > li"))
        assert "Call home today" in person.text(".diary-due > li")
    if AXE.is_file():
        assert violations(one) == []
        assert outside(other) == []
    other.press(".diary-due .icon-button")
    other.until(lambda: not other.one(".diary-due").is_displayed())
    assert one.all(".diary-due > li")
    one.press(".diary-due .primary")
    # It is done for this time, and due again.
    one.until(lambda: not one.one(".diary-due").is_displayed())
    for person in devices:
        person.until(lambda person=person: not person.all(row))


def test_a_day_that_is_over(devices: tuple[Person, Person]) -> None:
    """A draft outlives a reload; more than a page of entries, and all that was done, is shown."""
    one, other = devices
    many = """
    for (let n = 0; n < 104; n += 1) {
      await connection.request("/diary", "create_entry", { text: `Entry ${n}` });
    }
    for (let n = 0; n < 24; n += 1) {
      const { id } = await connection.request("/diary", "create_task", { title: `Task ${n}` });
      await connection.request("/diary", "complete_task", { task_id: id });
    }
    """
    one.connection(many)
    for person in devices:
        open_diary(person)
        person.until(lambda person=person: len(person.all(".diary-tasks > .done")) == 24)
        person.until(lambda person=person: len(person.all(".diary-entry")) == 100)
    one.press(".diary-entries + div > .quiet")
    one.until(lambda: len(one.all(".diary-entry")) == 104)
    one.until(lambda: not one.one(".diary-entries + div > .quiet").is_displayed())
    fill(one, ".diary-compose [name=text]", "Not yet")
    one.driver.refresh()
    open_diary(one)
    assert one.one(".diary-compose [name=text]").get_property("value") == "Not yet"
    one.press(".diary-head [data-focus=left]")
    one.until(lambda: not one.all(".diary-entry") and not one.all(".diary-tasks > li"))
    other.connection("await connection.request('/diary', 'delete_diary');")
    other.until(lambda: not other.all(".diary-entry") and not other.all(".diary-tasks > li"))
    one.driver.back()
    one.until(lambda: one.text(".diary-head h2") == "Today")
    assert not one.all(".diary-entry")


def texts(person: Person) -> list[str]:
    """Read what is found."""
    return [text.text for text in person.all(".diary-search .diary-text")]


def test_entries_are_found_again(devices: tuple[Person, Person]) -> None:
    """By words, tag, mood and days, page by page; each search has an address and a way back."""
    one, other = devices
    write = """
    const ask = (entry) => connection.request("/diary", "create_entry", entry);
    for (let n = 1; n <= 25; n += 1) {
      const date = `2026-01-${String(n).padStart(2, "0")}`;
      await ask({ text: `Walk ${n}`, date, mood: (n % 5) + 1, tags: n % 2 ? ["sea/lake?"] : [] });
    }
    await ask({ text: "Stayed at home", date: "2026-01-03" });
    """
    one.connection(write)
    open_diary(one)
    one.press(".diary-find")
    one.until(lambda: len(texts(one)) == 20)
    assert one.driver.execute_script("return document.activeElement.name") == "text"
    one.one(".diary-search [name=text]").send_keys("WALK", Keys.ENTER)
    one.until(lambda: texts(one)[:1] == ["Walk 25"] and len(texts(one)) == 20)
    one.driver.execute_script("document.querySelector('.diary-search .wide').scrollIntoView()")
    one.until(lambda: texts(one) == [f"Walk {n}" for n in range(25, 0, -1)])
    one.one(".diary-search [name=tag]").send_keys("#Sea/Lake?")
    set_values(one, ".diary-search", mood="4", **{"from": "2026-01-05", "to": "2026-01-24"})
    one.press(".diary-search [type=submit]")
    one.until(lambda: texts(one) == ["Walk 23", "Walk 13"])
    # The address is the search, in another window as well.
    other.go(one.place().removeprefix("#/"))
    other.until(lambda: texts(other) == ["Walk 23", "Walk 13"])
    assert other.one(".diary-search [name=tag]").get_property("value") == "Sea/Lake?"
    press(other, ".diary-search [data-does=edit]")
    other.one(".diary-search .diary-entry [name=text]").send_keys(" home")
    press(other, ".diary-search .diary-entry [type=submit]")
    for person in devices:
        person.until(lambda person=person: texts(person) == ["Walk 23 home", "Walk 13"])
    one.press(".diary-search li:last-child [data-does=trash]")
    one.press("dialog[open] .danger")
    for person in devices:
        person.until(lambda person=person: texts(person) == ["Walk 23 home"])
    set_values(one, ".diary-search", to="2026-01-01")
    one.press(".diary-search [type=submit]")
    one.until(lambda: one.text(".diary-search .field:has([name=to]) .error"))
    one.driver.back()
    one.until(lambda: one.one(".diary-search [name=tag]").get_property("value") == "")
    one.until(lambda: len(texts(one)) == 20)
    one.press(".diary-search .list li:nth-child(2) a")
    one.until(lambda: [text.text for text in one.all(".diary-entries .diary-text")] == ["Walk 24"])
    one.driver.back()
    one.until(lambda: one.one(".diary-search").is_displayed())
    one.press(".diary-today")
    one.until(lambda: "2026" in one.text(".diary-head h2"))


def test_what_encouraged_before(devices: tuple[Person, Person]) -> None:
    """Earlier motivations are read page by page; a new one stands first on every screen."""
    one = devices[0]
    ask = """
    for (let n = 1; n <= 5; n += 1) {
      const challenge = { current_challenge: `Meeting ${n}`, stress_level: n };
      await connection.request("/diary", "request_motivation", challenge);
    }
    """
    one.connection(ask)
    rows = ".diary-earlier"
    for person in devices:
        open_diary(person)
        press(person, "section:has([name=challenge]) summary")
        person.until(lambda person=person: len(person.all(rows)) == 5)
        assert "Meeting 5" in person.text(rows)
    fill(one, "[name=challenge]", "An exam")
    one.press("section:has([name=challenge]) [type=submit]")
    for person in devices:
        person.until(lambda person=person: "An exam" in person.text(rows))
        assert "stress 5 of 10" in person.text(rows)
        assert len(person.all(rows)) == 6


def test_both_change_an_entry(devices: tuple[Person, Person]) -> None:
    """Who saves later sees both texts and chooses; what only one has changed is kept anyway."""
    one, other = devices
    create = "await connection.request('/diary', 'create_entry', { text: 'Rain', tags: ['sea'] });"
    one.connection(create)
    edited = ".diary-entry.diary-editing"
    for person in devices:
        open_diary(person)
    for mine, theirs, choice in (("one", "other", "mine"), ("two", "more", "theirs")):
        one.press(".diary-entry [data-does=edit]")
        one.one(f"{edited} [name=text]").send_keys(f" {mine}")
        press(other, ".diary-entry [data-does=edit]")
        other.one(f"{edited} [name=text]").send_keys(f" {theirs}")
        other.driver.execute_script(f"document.querySelector('{edited} [value=\"4\"]').click()")
        press(other, f"{edited} [type=submit]")
        other.until(lambda theirs=theirs: other.text(".diary-text").endswith(theirs))
        assert one.one(f"{edited} [name=text]").get_property("value").endswith(mine)
        one.press(f"{edited} [type=submit]")
        one.until(lambda: one.all(".diary-conflict"))
        sides = [side.text for side in one.all(".diary-conflict dd")]
        assert [side.rpartition(" ")[2] for side in sides] == [theirs, mine]
        if AXE.is_file():
            assert violations(one) == []
        one.press(f".diary-conflict [data-does={choice}]")
        kept = mine if choice == "mine" else theirs
        for person in devices:
            person.until(lambda person=person, kept=kept: person.text(".diary-text").endswith(kept))
            assert person.all(".diary-entry .mood-4")
        assert not one.all(".diary-conflict")
    assert one.text(".diary-text") == "Rain one more"


def test_what_is_written_of_an_entry_that_goes_is_kept(devices: tuple[Person, Person]) -> None:
    """Who changes an entry while it is deleted elsewhere has the text in a new one."""
    one, other = devices
    one.connection("await connection.request('/diary', 'create_entry', { text: 'Wind' });")
    for person in devices:
        open_diary(person)
    one.press(".diary-entry [data-does=edit]")
    one.one(".diary-entry [name=text]").send_keys(" and waves")
    press(other, ".diary-entry [data-does=trash]")
    other.press("dialog[open] .danger")
    one.until(lambda: not one.all(".diary-entry"))
    compose = ".diary-compose [name=text]"
    one.until(lambda: one.one(compose).get_property("value") == "Wind and waves")
    one.press(".diary-compose [type=submit]")
    for person in devices:
        person.until(lambda person=person: person.text(".diary-text") == "Wind and waves")


def test_charts_have_tables(devices: tuple[Person, Person]) -> None:
    """What the heat map and the lines show stands in tables, which stay open as they change."""
    one, other = devices
    write = "await connection.request('/diary', 'create_entry', { text: 'A', mood: args[0] });"
    one.connection(write, 2)
    for person in devices:
        open_diary(person)
    days, weeks = ".diary-table-days", ".diary-table-weeks"
    press(one, f"{days} > summary")
    press(one, f"{weeks} > summary")
    rows = "section:has(.diary-heat) details[open] tbody tr"
    one.until(lambda: len([row for row in one.all(rows) if row.is_displayed()]) == 13)

    def today() -> list[str]:
        return [cell.text for cell in one.all(f"{days} tbody tr:first-child td")]

    assert today()[:3] == ["1", "2", "0"]
    other.connection(write, 5)
    one.until(lambda: today()[:3] == ["2", "3.5", "0"])
    assert [cell.text for cell in one.all(f"{weeks} tbody tr:last-child td")][:2] == ["2", "3.5"]
    assert len([row for row in one.all(rows) if row.is_displayed()]) == 13
    # A single week is a point where it cannot be a line.
    assert len(one.all(".diary-chart circle.mood")) == 1
    if AXE.is_file():
        assert violations(one) == []
        assert outside(other) == []
