"""One call of a model, and what differs between two; costs, tokens, and the tools of MCP."""
