"""How tables are written: one module a format."""
