"""Batches: their state in Redis, and how their lines are shared out."""
