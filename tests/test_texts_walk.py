"""No field of any schema takes text that shows nothing for text."""

import importlib
import pkgutil

import pytest
from marshmallow import ValidationError

import models
from models.fields import BoundedList, Input, Part, Secret, Text
from tests.models.test_text import INVISIBLE

EMPTY_MEANS_NONE = {"content", "notes", "current_challenge", "UsersQuery.q"}
"""What may be left empty: text that shows nothing loads as spaces or as empty there."""


def schemas(kind=Input):
    for below in kind.__subclasses__():
        yield below
        yield from schemas(below)


def all_texts():
    """Return all fields for text, by schema and name; those within lists and objects, too."""
    for module in pkgutil.walk_packages(models.__path__, "models."):
        importlib.import_module(module.name)
    found = {}
    for schema in schemas():
        if not schema.__module__.startswith("models."):
            continue
        for name, field in schema().fields.items():
            while isinstance(field, BoundedList):
                field = field.inner
            assert not isinstance(field, Part) or issubclass(field.nested, Input)
            if isinstance(field, Text):
                found[f"{schema.__name__}.{name}"] = field
    return found


TEXTS = all_texts()


def test_the_walk_meets_every_domain():
    """Texts of all domains are among the fields that are tried below."""
    wanted = {
        *("SendMessage.content", "EditMessage.content", "SearchQuery.text", "SignUp.name"),
        *("CreateChannel.title", "CreateStory.text", "CreateEntry.text", "CreateEntry.tags"),
        *("CreateTask.title", "CreateGoal.unit", "CreateProduct.name", "ProductQuery.q"),
        *("CreateConversation.title", "ShipOrder.carrier", "React.emoji", "_NewStep.title"),
    }
    assert wanted <= TEXTS.keys()


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_to_see_is_no_text(name):
    """Invisible text is refused, or is as if nothing but spaces had been written."""
    for text in (*INVISIBLE, "\u200b\u00ad\u2060", " \u3164 "):
        try:
            loaded = TEXTS[name].deserialize(text)
        except ValidationError:
            continue
        assert not loaded.strip(), (name, ascii(text))
        assert EMPTY_MEANS_NONE & {name, name.partition(".")[2]}, name


def test_secrets_are_as_they_are():
    """Passwords and tokens are not judged by what they show, whatever schema takes them."""
    assert not [name for name in TEXTS if "password" in name or name.endswith("token")]
    assert Secret(64, min_length=8).deserialize(" " * 8) == " " * 8
