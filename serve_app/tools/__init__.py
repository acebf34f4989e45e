"""Tools that run here: registered Python functions, and those of MCP servers."""
