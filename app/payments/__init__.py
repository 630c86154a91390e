"""Payment providers that the market can be connected to."""
