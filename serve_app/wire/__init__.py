"""Translators at the edge: API shapes to core values and back."""
