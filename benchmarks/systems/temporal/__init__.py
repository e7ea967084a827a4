"""Temporal's development server, on SQLite."""
