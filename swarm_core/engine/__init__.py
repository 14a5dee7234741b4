"""Carries out tasks, drives runs, and answers for what happened."""
