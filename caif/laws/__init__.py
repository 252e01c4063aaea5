"""The constitution's own tools: lint, unit tests, differences, and the way in from other formats and back."""
