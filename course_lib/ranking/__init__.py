"""Recommenders: baselines, fusion with text, graphs (lessons 03 and 04)."""
