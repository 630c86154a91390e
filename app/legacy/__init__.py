"""The raw-WebSocket endpoints: one file per documented dialect."""
