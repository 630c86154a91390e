"""Tests of the REST routes of chat."""
