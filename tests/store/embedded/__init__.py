"""What the embedded store promises beyond the contract that all stores keep."""
