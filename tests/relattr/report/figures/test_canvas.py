"""The choice of images for a figure."""

import numpy as np

from relattr.report.figures.canvas import evenly_ranked


def test_images_are_chosen_at_equal_steps_of_rank():
    strengths = np.array([5.0, np.nan, -1.0, 3.0, 2.0, 9.0])
    assert evenly_ranked(strengths, 3).tolist() == [2, 3, 5]
    assert evenly_ranked(strengths, 99).tolist() == [2, 4, 3, 0, 5]
