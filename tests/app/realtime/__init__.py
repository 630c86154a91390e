"""Tests of the delivery engine: sockets, sessions, rooms."""
