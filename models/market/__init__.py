"""The market: products, bids and asks, the orders that they make, and what follows from those."""
