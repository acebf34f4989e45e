"""The pantry: answers that may be served again."""
