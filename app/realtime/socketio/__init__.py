"""Socket.IO: namespaces over Engine.IO sessions, acks, and clients that come back."""
