"""Notifications: published once for each cause, kept in an inbox, pushed to devices that asked."""
