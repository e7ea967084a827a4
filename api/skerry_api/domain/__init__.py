"""Pure values and decisions: no I/O, no framework, no clock of their own."""
