"""Anthropic's Messages API at the edge: its requests, replies, events and errors."""
