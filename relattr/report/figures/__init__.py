"""Charts as SVG, and figures made of images."""
