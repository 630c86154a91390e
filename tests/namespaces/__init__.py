"""Tests of the Socket.IO commands."""
