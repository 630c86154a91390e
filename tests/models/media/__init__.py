"""Tests of media files."""
