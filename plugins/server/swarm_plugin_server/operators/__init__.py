"""Operators at the other end of a WebSocket: their sessions, their roles, and the frames between."""
