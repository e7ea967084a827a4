"""Skerry's control plane: REST, the run engine and the runner gateway over Postgres."""

__version__ = "0.1.0"
