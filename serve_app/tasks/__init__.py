"""Tasks: the durable queue of work that outlives a request."""
