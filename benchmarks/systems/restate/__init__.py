"""Restate, one node."""
