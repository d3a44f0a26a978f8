"""Visual chains: a patch per image that changes smoothly along the order of an attribute.

Xiao & Lee, "Discovering the Spatial Extent of Relative Attributes", ICCV 2015. Chains begin on the images
with most of the attribute (`dynamic`), grow down the order with a detector of their own (`detector`, `growing`),
and those whose patches rank best are kept (`ensemble`). `candidates` and `boxes` say where patches are,
`maps` and `templates` what they look like.
"""
