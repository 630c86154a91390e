"""The database: MongoDB through motor, or the embedded store; what uses it knows neither."""

from app.storage.store import Store, embedded_path, open_store

__all__ = ["Store", "embedded_path", "open_store"]
