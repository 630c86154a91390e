"""Events on their way: the log that gives them their order, in one process or in Redis."""
