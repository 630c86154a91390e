"""What people report, and what operators do about it."""
