"""The dialects: one module for each raw WebSocket endpoint; `app.legacy.registry` finds them."""
