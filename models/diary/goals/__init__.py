"""Goals of the diary: their progress, and who shares them."""
