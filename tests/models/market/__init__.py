"""The market on the store that is open, and its book against a reference."""
