"""Tests of `app.http`."""
