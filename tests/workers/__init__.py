"""Several workers under a supervisor."""
