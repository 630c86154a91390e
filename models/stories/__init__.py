"""Stories: short texts that live a day, who saw them and who reacted."""
