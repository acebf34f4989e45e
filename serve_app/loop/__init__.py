"""The tool loop: a request whose tools run here goes through the corridor once for each answer."""
