"""The systems measured: for each, how to start it, its user code, and the driver that triggers it."""
