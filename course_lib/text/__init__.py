"""Encoding text with BERT and fine-tuning it (lesson 02)."""
