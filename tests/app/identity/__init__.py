"""Tokens become identities."""
