"""What each lesson claims of its own figures, with margins that could fail."""

from conftest import figures_of
