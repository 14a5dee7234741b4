"""A swarm in this process, for as long as the MCP server runs."""
