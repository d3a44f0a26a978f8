"""What readers get: tables beside the published numbers."""
