"""Training of ranking networks on pairs: every image once a batch, every labelled pair among them."""
