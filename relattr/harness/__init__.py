"""What a benchmark asks for and what was computed: cells, plans, results, and the store that keeps them."""
