"""A swarm that a server serves, over its HTTP API and WebSocket."""
