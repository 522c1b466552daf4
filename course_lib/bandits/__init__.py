"""Exploring, learning over sessions, and judging a policy from logs."""
