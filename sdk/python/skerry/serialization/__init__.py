"""Values to JSON and back: plain JSON, and what annotations describe (see the tables in `encode` and `decode`)."""
