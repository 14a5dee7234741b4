"""What the shipped orbit, its setting and its patch agent are called."""

from __future__ import annotations

ORBIT = "enhance-default"
SETTING = "default"
SPAWNER = "patch-spawner"
"""The agent of an orbit that writes the patches."""
