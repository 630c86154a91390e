"""The contracts of the API, generated from what domains declare, and served."""
