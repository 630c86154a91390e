"""The process: everything that runs, accepts and delivers."""
