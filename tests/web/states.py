"""What can be opened over a place of the page: drawers, viewers, dialogs and menus.

Each is a place and how a person gets on from there: a selector to press, `menu: label` for an item
of the open menu, `enter: selector` for Enter on what the keyboard reaches, or `key: k`. The last
thing pressed opens it. A server has the example data for them, and what `furnish` adds.
"""

import json
import urllib.request

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.web.browsers import Person, Server

CHAT_ADD = ".chat-side-bar .icon-button:not(.chat-own)"
CHAT_MORE = ".chat-head-bar [aria-haspopup=menu]"
OTHERS_MESSAGE = "enter: .chat-row:not(.own, .deleted)"
OWN_MESSAGE = "enter: .chat-row.own:not(.deleted)"
CLOSED_CHANNEL = "readers"
PASSWORD_PART = ".account-part:has([name=next]) summary"
EMAIL_PART = ".account-part:has(.account-email) summary"

STATES: dict[str, tuple[str, tuple[str, ...]]] = {
    "account menu": ("stories", ("#me",)),
    "inspector": ("stories", ("key: `",)),
    "inspector, a frame unfolded": (
        "stories",
        ("key: `", ".inspector-frame > details > summary"),
    ),
    "story viewer": ("stories", (".stories-people li:last-child .stories-ring",)),
    "own story": ("stories", (".stories-people li:first-child .stories-ring",)),
    "who has seen a story": ("stories", (".stories-foot button:has(.stories-views)",)),
    "story composer": ("stories", (".stories-ring:has(.stories-plus)",)),
    "story for some people": (
        "stories",
        (".stories-ring:has(.stories-plus)", ".stories-composer .segments button:last-child"),
    ),
    "story menu": ("stories", (".stories-card [aria-haspopup=menu]",)),
    "report of a story": ("stories", (".stories-card [aria-haspopup=menu]", "menu: Report")),
    "chat: what to begin": ("chat", (CHAT_ADD,)),
    "chat: new message": ("chat", (CHAT_ADD, "menu: New message")),
    "chat: new channel": ("chat", (CHAT_ADD, "menu: New channel")),
    "chat: all channels": ("chat", (CHAT_ADD, "menu: Browse channels")),
    "chat: mentions": ("chat", (".chat-own", "menu: Mentions")),
    "chat: blocked people": ("chat", (".chat-own", "menu: Blocked")),
    "chat: conversation menu": ("chat/general", (CHAT_MORE,)),
    "chat: members": ("chat/general", (CHAT_MORE, "menu: Show members")),
    "market: new product": ("market", (".market-new",)),
    "diary: delete a task": ("diary", (".diary-tasks .icon-button.small:last-of-type",)),
    "notifications: archive": ("notifications/archive", ()),
    "notifications: preferences": ("notifications/preferences", ()),
    "account: delete": ("account", (".screen-account .danger",)),
}

MORE_STATES: dict[str, tuple[str, tuple[str, ...]]] = {
    "chat: leave": ("chat/general", (CHAT_MORE, "menu: Leave")),
    "chat: add people": (f"chat/{CLOSED_CHANNEL}", (CHAT_MORE, "menu: Add people")),
    "chat: block a person": (
        "chat",
        ("[data-key=all] .chat-entry:has([data-person-avatar])", CHAT_MORE, "menu: Block"),
    ),
    "chat: message menu": ("chat/general", (OTHERS_MESSAGE,)),
    "chat: own message menu": ("chat/general", (OWN_MESSAGE,)),
    "chat: report of a message": ("chat/general", (OTHERS_MESSAGE, "menu: Report")),
    "chat: seen by": ("chat/general", (OWN_MESSAGE, "menu: Seen by")),
    "chat: delete a message": ("chat/general", (OWN_MESSAGE, "menu: Delete")),
    "chat: reaction": ("chat/general", (OTHERS_MESSAGE, "menu: Add a reaction")),
    "chat: emoji": ("chat/general", (".chat-field .icon-button",)),
    "chat: picture": ("chat/general", (".chat-picture:not(.loading)",)),
    "market: pay": ("market/orders/17", ("[data-step=pay]",)),
    "market: cancel": ("market/orders/17", ("[data-step=cancel_order]",)),
    "market: ship": ("market/orders/19", ("[data-step=ship]",)),
    "market: refund": ("market/orders/19", ("[data-step=refund]",)),
    "market: complain": ("market/orders/20", ("[data-step=complain]",)),
    "diary: delete an entry": ("diary", (".diary-entry [data-does=trash]",)),
    "diary: change an entry": ("diary", (".diary-entry [data-does=edit]",)),
    "diary: change a task": ("diary", (".diary-tasks [data-does=edit]",)),
    "diary: delete a goal": ("diary", (".diary-goals [data-does=trash]",)),
    "diary: leave a goal": ("diary", (".diary-goals [data-does=leave]",)),
    "diary: change a goal": ("diary", (".diary-goals [data-does=edit]",)),
    "account: end other sessions": ("account", ("section:has(.account-used) > button",)),
    "account: change of the e-mail": ("account", (EMAIL_PART,)),
    "account: change of the password": ("account", (PASSWORD_PART,)),
}
"""States that are looked at on the example data only, and need what `furnish` adds."""

MENU = ".menu[role=menu]"
EMOJI = ".chat-emoji[role=dialog]"
IN_PLACE = ".account-part details[open], .diary-editing"
OPENED = f"dialog[open], {MENU}, {EMOJI}, {IN_PLACE}, .drawer:not([hidden])"


def furnish(server: Server) -> None:
    """Add what the states need beyond the example data: a closed channel, and a second session."""
    token = _post(server, "demo/enter", {"name": "Test"})["access_token"]
    _post(server, "channels", {"name": CLOSED_CHANNEL, "private": True}, token)


def _post(server: Server, path: str, body: object, token: str | None = None) -> dict[str, str]:
    request = urllib.request.Request(
        f"{server.url}/api/v1/{path}",
        data=json.dumps(body).encode(),
        headers={
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {token}"} if token else {}),
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.load(answer))


def open_state(person: Person, steps: tuple[str, ...]) -> None:
    """Press one after the other; what is opened is there in the end."""
    for step in steps:
        kind, _, what = step.partition(": ")
        if kind == "key":
            # A drawer that was open before the page was loaded again is open after that.
            if not person.one(".drawer").is_displayed():
                ActionChains(person.driver).send_keys(what).perform()
            person.until(lambda: person.one(".drawer").is_displayed())
        elif kind == "enter":
            person.until(lambda what=what: _enter(person, what))
        elif kind == "menu":
            person.until(lambda what=what: _item(person, what)).click()
            person.until(lambda: not person.all(MENU))
        else:
            person.press(step)
    if steps:
        person.until(lambda: person.one(OPENED).is_displayed())


def _enter(person: Person, selector: str) -> bool:
    """Press Enter on it; it may not be drawn yet."""
    found = person.one(selector)
    person.driver.execute_script("arguments[0].focus()", found)
    found.send_keys(Keys.ENTER)
    return True


def _item(person: Person, label: str) -> WebElement | None:
    items = person.all(f"{MENU} [role^=menuitem]")
    return next((item for item in items if label in item.text), None)
