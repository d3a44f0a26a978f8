"""Pretrained networks: their names, weights, layers, preprocessing, and features extracted from them."""
