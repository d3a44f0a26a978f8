"""Pretrained networks: names, weights, layers, preprocessing and feature extraction."""
