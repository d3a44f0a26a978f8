"""Image features: one building block a file."""
