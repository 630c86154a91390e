"""The documents: their links, the generated ones, and the programs in them."""
