"""One run that starts two hundred others and sums up."""
