"""Published numbers, and the tables that `relattr tables` writes from the reference results."""
