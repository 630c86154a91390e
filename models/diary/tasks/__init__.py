"""Tasks of the diary: when they are due, their reminders and repeats, and their completion."""
