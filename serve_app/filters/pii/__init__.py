"""Personal data in texts: see `finder.py`."""

from serve_app.filters.pii.finder import DEFAULT_KINDS, KINDS, TAGS, PiiFinder
from serve_app.filters.pii.name import NameFinder

__all__ = ["DEFAULT_KINDS", "KINDS", "TAGS", "NameFinder", "PiiFinder"]
