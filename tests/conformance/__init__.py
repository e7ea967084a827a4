"""Unmodified Render SDK programs and clients against this server."""
