"""Hand-crafted image features, one a file."""
