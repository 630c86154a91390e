"""WebSockets: the handshake, one connection, its frames, and one write for many of them."""
