"""The books: what was used and what it cost."""
