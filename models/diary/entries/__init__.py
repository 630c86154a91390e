"""Entries of the diary: what was written about a day."""
