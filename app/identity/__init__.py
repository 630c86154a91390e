"""Turn a credential into one `Identity`, the same way by every transport."""
