"""Tests of the raw-WebSocket endpoints."""
