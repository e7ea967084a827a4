"""Skerry, as `skerry-api dev` starts it."""
