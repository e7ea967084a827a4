"""Celery, with Valkey as its broker and result store."""
