"""CSV in, checked figures out: validate in parallel, then aggregate."""
