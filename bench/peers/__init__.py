"""The servers that are compared: each does the same work and takes the same commands."""
