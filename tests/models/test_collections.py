"""The table of collections."""

import ast

from models.collections import COLLECTIONS
from tests.test_imports import sources


def opened():
    """Return the names of all collections that models open."""
    names = set()
    for path in sources("models"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Subscript) and _is_database(node.value):
                assert isinstance(node.slice, ast.Constant | ast.JoinedStr), (
                    f"{path}: name the collection by a literal, so that the table can be checked"
                )
                if isinstance(node.slice, ast.Constant):
                    names.add(node.slice.value)
    return names


def _is_database(node):
    name = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
    return name.lstrip("_") == "database"


def test_every_collection_is_in_the_table():
    """A collection that a model opens has its row, and no row is left behind."""
    assert opened() == set(COLLECTIONS)


def test_every_row_is_complete():
    """A row says whom it names or changes nothing for anybody."""
    for name, policy in COLLECTIONS.items():
        assert policy.kept, name
        if not policy.names:
            assert (policy.handed_over.value, policy.deleted.value, policy.exported) == (
                "untouched",
                "untouched",
                False,
            ), name
