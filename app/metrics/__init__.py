"""What this process says about itself to Prometheus; docs/operations/metrics.md lists it."""
