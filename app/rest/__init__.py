"""REST: one thin module per domain, and one table from domain error to HTTP status."""
