"""Bounded patterns that are found in whole texts and in texts that are still arriving."""
