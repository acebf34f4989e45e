"""Ray shells: one for every room that can be its own deployment."""
