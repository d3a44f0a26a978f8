"""Tables as LaTeX (booktabs, siunitx): as in the paper, beside the published numbers, the ablation, the ranks."""
