"""Values: what crosses from room to room, frozen and JSON-shaped."""
