"""The diary: entries, tasks, goals, motivation, and what they add up to."""
