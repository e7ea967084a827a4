"""DBOS, on the benchmarks' PostgreSQL."""
