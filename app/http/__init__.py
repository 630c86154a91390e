"""HTTP itself: connections, the bodies of requests and of answers. No domain is known here."""
