"""A router that learned from examples when only the strong model will do."""
