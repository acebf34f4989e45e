"""Trails of requests that are over, kept for a while for whoever wants to know why."""
