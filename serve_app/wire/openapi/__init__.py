"""The gateway's description of itself: OpenAPI 3.1, made from the types that decode requests."""
