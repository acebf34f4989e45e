"""Versions of the tables, oldest first; see `records/schema.py`."""
