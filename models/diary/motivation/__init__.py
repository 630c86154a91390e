"""Motivation: a few sentences that answer a challenge, never the same twice in a week."""
