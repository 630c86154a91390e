"""The truth: one module per domain with its rules, storage and events."""
