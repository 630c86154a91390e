"""Web Push: encrypted messages to browsers, by way of their makers' push services."""
