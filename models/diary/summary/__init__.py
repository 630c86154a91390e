"""What the diary has come to: streaks, moods and completed tasks of days and weeks."""
