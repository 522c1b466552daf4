"""Metrics, the one evaluation protocol, and uncertainty (lesson 06)."""
