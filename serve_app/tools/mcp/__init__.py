"""The client of MCP servers. All that imports the `mcp` package; loaded when first needed."""
