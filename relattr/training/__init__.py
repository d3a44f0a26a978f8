"""Training of ranking networks on pairs.

Each image of a batch passes through the network once, and all labelled pairs among the batch's images count
(`batch_sampler`). The losses are in `ranking_loss` (RankNet) and `spatial_loss` (transformers that leave the image),
the hyperparameters in `schedule`, the loop in `trainer`; `fitting` runs the stages and applies the fitted network.
"""
