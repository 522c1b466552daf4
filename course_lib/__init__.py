"""The helper library of the course on recommenders with language models: read it, it is short."""

__version__ = "0.1.0"

PROFILES = ("quick", "standard", "full")  # the sizes of a lesson: for tests, for a laptop, for a GPU
