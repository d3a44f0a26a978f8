"""Ranking networks: one module per component.

`ranker` is the network of Dubey & Agarwal; `localiser` and `crop_sampler` are the two halves of its spatial
transformers (localisation network, differentiable sampler), `multiscale_pyramid` what they see at several scales.
"""
