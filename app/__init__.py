"""The process: everything that runs, accepts and delivers."""

__version__ = "0.1.0"
"""As CHANGELOG.md has it; `setup.cfg` reads it from here."""
