"""What follows from what was observed. Pure: objects and the time in, actions out."""
