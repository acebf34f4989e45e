"""Stored files: content on any file system that fsspec knows, records in Redis by tenant."""
