"""The guest book: conversations kept in Redis."""
