"""Mails, sent by the operator's own mail service."""
