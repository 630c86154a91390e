"""The raw WebSocket endpoints of the older APIs (docs/older-apis)."""
