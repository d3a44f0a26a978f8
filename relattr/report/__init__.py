"""What readers get: tables beside the published numbers, figures, and a page."""
