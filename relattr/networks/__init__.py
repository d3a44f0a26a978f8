"""Networks: one a file."""
