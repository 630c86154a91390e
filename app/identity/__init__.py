"""Turn a credential into one `Identity`, the same way at every door."""
