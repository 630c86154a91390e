"""Benchmarks, and the server that the official protocol suites run against."""
