"""serve-app: an AI-agent gateway as a Ray Serve deployment graph."""

__version__ = "0.1.0"
