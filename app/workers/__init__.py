"""Several workers on one machine: one supervisor, N server processes on the same ports."""
