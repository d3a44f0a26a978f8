"""Reports on results: tables beside the published numbers, figures, and an HTML page."""

DECIDES_RESULTS = False
