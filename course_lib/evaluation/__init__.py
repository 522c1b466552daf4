"""Metrics, the one evaluation protocol, and uncertainty."""
