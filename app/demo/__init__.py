"""The examples: three people, and a month of what they did in every domain.

`python -m app demo` loads them, and so does the first click on one of the welcome screen's buttons.
Everything is made by the operations of the domains, at the times at which it is said to have
happened. Parts that were loaded whole are marked, so loading again adds nothing; a part that was
interrupted is gone through again, and its things, which have keys of their own, are there once.
Stories live a day, and diaries go on: another day adds what it lacks.
"""

from app.demo.loading import Demo, load_demo
from app.demo.people import NAMES, PASSWORD, PEOPLE

__all__ = ["NAMES", "PASSWORD", "PEOPLE", "Demo", "load_demo"]
