"""gRPC: the door of other services."""
