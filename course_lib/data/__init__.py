"""From hash-checked files to typed tables and splits."""
