"""Hand-crafted image features, one module each."""
