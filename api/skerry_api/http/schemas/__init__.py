"""What requests and replies look like, one module per noun: the source of `/openapi.json`."""
