"""The storage contract, the recorder that holds models to it, and what a crash leaves."""
