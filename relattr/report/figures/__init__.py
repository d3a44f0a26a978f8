"""Charts as SVG, and figures composed of images."""
