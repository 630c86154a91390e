"""A document store on SQLite in the server's own process: MongoDB's meaning, for one machine."""

from app.storage.embedded.database import EmbeddedDatabase, check_file, open_embedded

__all__ = ["EmbeddedDatabase", "check_file", "open_embedded"]
