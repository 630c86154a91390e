"""gRPC, for other services."""
