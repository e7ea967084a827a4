"""Implementations of the `Executor` protocol that the engine defines: where runner processes live."""
