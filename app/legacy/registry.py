"""Which dialects there are: every one that a module of `app.legacy.dialects` defines."""

import pkgutil
from collections.abc import Iterable
from importlib import import_module

from app.legacy import dialects as package
from app.legacy.dialect import Dialect

_DECLARED = ("name", "pages", "path", "access", "frames", "receives")


def dialects() -> tuple[type[Dialect], ...]:
    """Return the dialects, in the order of their modules' names.

    Raises:
        TypeError: a module defines no dialect, or one that does not declare all of itself.
    """
    return tuple(_defined(module.name) for module in pkgutil.iter_modules(package.__path__))


def undeclared(dialect: type[Dialect]) -> Iterable[str]:
    """Return the names of what a dialect has to declare and does not."""
    return [name for name in _DECLARED if not hasattr(dialect, name)]


def _defined(name: str) -> type[Dialect]:
    module = import_module(f"{package.__name__}.{name}")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Dialect)
        and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__name__} defines {len(found)} dialects instead of one")
    missing = undeclared(found[0])
    if missing:
        raise TypeError(f"{found[0].__name__} does not declare {', '.join(missing)}")
    return found[0]
