"""Prefect's server, on PostgreSQL."""
