"""Web Push, against a push service of this machine."""
