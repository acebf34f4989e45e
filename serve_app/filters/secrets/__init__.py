"""Secrets in texts: see `finder.py`."""

from serve_app.filters.secrets.finder import KINDS, TAGS, SecretsFinder

__all__ = ["KINDS", "TAGS", "SecretsFinder"]
