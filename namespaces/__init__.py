"""Socket.IO: one module per domain, saying what its clients may ask."""
