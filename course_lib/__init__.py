"""The helper library of the course on recommenders with language models: read it, it is short."""

__version__ = "0.1.0"
