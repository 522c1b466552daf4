"""Recommenders: baselines, fusion with text, graphs."""
