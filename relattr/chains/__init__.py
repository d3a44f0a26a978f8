"""Visual chains: one patch per image, changing smoothly in appearance along the order of an attribute.

Xiao & Lee, "Discovering the Spatial Extent of Relative Attributes", ICCV 2015. Chains start on the images with most of
the attribute (`dynamic_programming`) and grow down the order with their own detector (`detector`, `growing`); those
whose patches rank the images of a validation set best are selected (`selection`). `candidates` and `boxes` define where
patches are; `network_patches`, `feature_maps` and `hog_templates` compute their features (`patch_descriptor`).
"""
