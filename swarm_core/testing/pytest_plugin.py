"""Fixtures for tests of plugins; nothing of the core is imported before a test asks for it."""

from __future__ import annotations
