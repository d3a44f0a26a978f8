"""The spatial transformer compared with plain loops and the formulas of Singh & Lee (ECCV 2016)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from relattr.backbones import micro_net
from relattr.backbones.backbone import Backbone
from relattr.backbones.names import Preprocessing
from relattr.errors import BadInput
from relattr.networks.architecture import Architecture, build_ranker, centre_initial_crops
from relattr.networks.crop_sampler import centre_is_outside, crop_boxes, sample_crops
from relattr.networks.freezing import count_parameters, freeze_first_layers
from relattr.networks.localiser import Localiser
from relattr.networks.multiscale_pyramid import downscaled_view, resize_square
from relattr.networks.ranker import Ranker
from relattr.networks.sampling_grid import crop_grid
from relattr.networks.scoring import Extractor
from relattr.training.spatial_loss import spatial_loss


def micro() -> Backbone:
    return Backbone(micro_net.MicroNet(8), "micro", Preprocessing(64, 64)).eval()


def sampled(image: np.ndarray, x: float, y: float) -> float:
    """Bilinear sampling with loops: -1 and 1 are the centres of the outermost pixels; pixels outside are zero."""
    h, w = image.shape
    px, py = (x + 1) / 2 * (w - 1), (y + 1) / 2 * (h - 1)
    total = 0.0
    for j in (math.floor(py), math.floor(py) + 1):
        for i in (math.floor(px), math.floor(px) + 1):
            if 0 <= j < h and 0 <= i < w:
                total += image[j, i] * max(0, 1 - abs(px - i)) * max(0, 1 - abs(py - j))
    return total


@pytest.mark.parametrize("theta", [(0.33, 0.0, 0.0), (0.5, 0.7, -1.2), (0.2, 6.0, 1.0), (1.0, 0.0, 0.0)])
def test_crop_matches_a_loop_over_pixels(theta):
    image = np.random.default_rng(0).random((9, 9)).astype(np.float32)
    s, tx, ty = theta
    grid = np.linspace(-1, 1, 5)
    expected = [[sampled(image, s * (gx + tx), s * (gy + ty)) for gx in grid] for gy in grid]
    result = sample_crops(torch.from_numpy(image)[None, None], torch.tensor([theta]), 5)
    np.testing.assert_allclose(result[0, 0], expected, atol=1e-5)


def test_scale_one_third_crops_the_central_third():
    # 97 pixels: the outermost of the middle third fall on pixels, so the crop is that piece itself
    image = torch.rand(1, 3, 97, 97, generator=torch.Generator().manual_seed(0))
    result = sample_crops(image, torch.tensor([[1 / 3, 0.0, 0.0]]), 33)
    torch.testing.assert_close(result, image[:, :, 32:65, 32:65], atol=1e-5, rtol=0)


@pytest.mark.parametrize("align_corners", [True, False])
def test_crop_grids_are_those_of_affine_matrices(align_corners):
    scale, centre = torch.rand(2, 4, 2, generator=torch.Generator().manual_seed(1)).unbind()
    matrices = torch.stack(
        [torch.stack([scale[:, 0] * e, scale[:, 1] * (1 - e), centre[:, k]], 1) for k, e in enumerate((1, 0))], 1
    )
    expected = torch.nn.functional.affine_grid(matrices, [4, 1, 7, 7], align_corners=align_corners)
    result = crop_grid(scale, centre, 7, align_corners=align_corners)
    torch.testing.assert_close(result, expected, atol=1e-6, rtol=0)


def test_boxes_are_where_the_crop_lies():
    assert crop_boxes(torch.tensor([[0.5, 0.0, 0.0]])).tolist() == [[0.25, 0.25, 0.75, 0.75]]
    assert crop_boxes(torch.tensor([[0.5, 1.0, -1.0]])).tolist() == [[0.5, 0.0, 1.0, 0.5]]
    assert crop_boxes(torch.tensor([[-0.5, 0.0, 0.0]])).tolist() == [[0.25, 0.25, 0.75, 0.75]]  # turned, not inside out


def test_outside_depends_on_the_crop_centre():
    theta = torch.tensor([[0.5, 1.9, 0.0], [0.5, 2.1, 0.0], [0.5, 0.0, -2.1], [-0.5, 2.1, 0.0], [0.1, 9.0, 9.0]])
    assert centre_is_outside(theta).tolist() == [False, True, True, True, False]


def test_the_spatial_loss_has_the_gradient_of_the_original():
    theta = torch.tensor([[0.6, 2.0, -1.5], [0.3, -4.0, 0.5]], requires_grad=True)
    spatial_loss(theta).sum().backward()
    for (s, tx, ty), gradient in zip(theta.detach().tolist(), theta.grad.tolist(), strict=True):
        assert gradient == pytest.approx([s * (tx**2 + ty**2), s**2 * tx, s**2 * ty])


def test_initial_scale_and_translation():
    torch.manual_seed(0)
    localiser = Localiser(micro(), scale=0.165)
    theta = localiser(torch.randn(8, 3, 64, 64))
    assert torch.equal(theta[:, 0], torch.full((8,), 0.165))
    assert theta[:, 1:].std(0).min() > 0
    bound = 1 / math.sqrt(128)
    weight = localiser.output.weight[1:].detach()
    assert weight.abs().max() <= bound
    assert weight.abs().max() > 0.9 * bound
    assert localiser.output.bias.tolist() == pytest.approx([0.165 / 0.05, 0, 0])
    with pytest.raises(BadInput, match="must be in"):
        Localiser(micro(), scale=0.0)


def test_scale_changes_400_times_more_slowly():
    torch.manual_seed(0)
    localiser = Localiser(micro())
    x = torch.randn(4, 3, 64, 64)
    before = localiser(x).detach()
    localiser(x).sum().backward()  # the same pull on all three
    with torch.no_grad():
        localiser.output.bias -= 0.1 * localiser.output.bias.grad
    moved = (localiser(x).detach() - before).abs().mean(0)
    assert float(moved[1] / moved[0]) == pytest.approx(400, rel=1e-3)


def test_quarter_view_loses_detail_and_keeps_size():
    fine = torch.zeros(1, 1, 64, 64)
    fine[:, :, ::2] = 1.0
    result = downscaled_view(fine, 0.25, 64)
    assert result.shape == fine.shape
    assert result.std() < 0.1 * fine.std()
    assert torch.equal(downscaled_view(fine, 1.0, 64), fine)
    assert resize_square(fine, 32).shape == (1, 1, 32, 32)


@pytest.mark.parametrize("source", ["full", "downsampled"])
def test_crops_are_sampled_from_the_full_or_the_downscaled_image(source):
    torch.manual_seed(0)
    localisers = [Localiser(micro()) for _ in range(3)]
    net = Ranker(Extractor(micro()), localisers, sizes=(64, 9, 64), scales=(1.0, 0.5, 0.25), sample_from=source).eval()
    # a step of one pixel at a quarter of the width: at a quarter of the size it is a slope
    x = torch.zeros(1, 3, 64, 64)
    x[..., 16:] = 1.0
    theta = [torch.tensor([[0.5, 0.0, 0.0]])] * 3
    crops = net.crops([x] * 4, theta)
    for scale, crop in zip((1.0, 0.5, 0.25), crops, strict=True):
        size = 64 if source == "full" else round(64 * scale)
        # pixel areas averaged by hand, instead of the library's antialiased resizing
        small = x[0, 0].reshape(size, 64 // size, size, 64 // size).mean((1, 3)).numpy()
        grid = np.linspace(-1, 1, 9)
        expected = [[sampled(small, 0.5 * gx, 0.5 * gy) for gx in grid] for gy in grid]
        np.testing.assert_allclose(crop[0, 0], expected, atol=0.13)  # the library's filter is wider by half a pixel
    flat = [float(crop.std()) for crop in crops]
    assert (flat[0] == flat[2]) is (source == "full")


def test_initial_scales_are_relative_to_the_first():
    paper = Architecture("a", (1.0, 0.5, 0.25), initial_scale=0.5)
    assert paper.initial_scales == [0.5, 0.25, 0.125]
    equal = Architecture("a", (1.0, 0.5, 0.25), initial_scale=0.5, relative_scales=(1, 1, 1))
    assert equal.initial_scales == [0.5, 0.5, 0.5]
    with pytest.raises(BadInput, match="relative_scales has 2 values for 3 transformers"):
        _ = Architecture("a", (1.0, 0.5, 0.25), relative_scales=(1, 1)).initial_scales


# ---------------------------------------------------------------------- the ranker


def ranker(**more) -> Ranker:
    torch.manual_seed(0)
    extractor = Extractor(micro())
    return Ranker(extractor, [Localiser(micro())], sizes=(64, 64, 64), **more).eval()


def test_crop_and_whole_image_share_weights():
    net = ranker()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        features, theta = net.features([x]), net.locate([x])
        whole, cut = net.extractor(x), net.extractor(sample_crops(x, theta[0], 64))
        torch.testing.assert_close(features, torch.cat([whole, cut], 1))
        torch.testing.assert_close(net([x]).score, net.score(features).squeeze(1))
    assert net.score.in_features == 2 * net.extractor.dim


def test_no_ranking_gradient_for_crops_outside():
    net = ranker()
    x = torch.randn(3, 3, 64, 64)
    gradients = {}
    for away in (False, True):
        with torch.no_grad():
            net.localisers[0].output.bias[1] = 5.0 if away else 0.0  # 0.33 * 5 > 1
        net.zero_grad()
        answer = net([x])
        assert bool(centre_is_outside(answer.theta[0]).all()) == away
        answer.score.sum().backward()
        moved = sum(
            float(p.grad.abs().sum()) for m in net.localisers[0].head for p in m.parameters() if p.grad is not None
        )
        assert (moved == 0) == away
        gradients[away] = net.score.weight.grad.clone()
    assert gradients[True].abs().sum() > 0


def test_a_supplement_enters_the_score_layer_and_nothing_else():
    net = ranker(supplement=5)
    x, extra = torch.randn(2, 3, 64, 64), torch.randn(2, 5)
    with torch.no_grad():
        difference = net([x], extra).score - net([x], torch.zeros(2, 5)).score
        torch.testing.assert_close(difference, extra @ net.score.weight[0, -5:])


def test_a_network_without_whole_image_and_crops_is_refused():
    with pytest.raises(BadInput, match="whole image"):
        Ranker(Extractor(micro()), whole=False, sizes=(64, 64, 64))


def test_initial_crops_are_centred_in_the_image():
    net = ranker()
    x = torch.randn(6, 3, 64, 64)
    with torch.no_grad():
        net.localisers[0].output.weight[1:] *= 300
    assert centre_initial_crops(net, [x]) < 1
    (theta,) = (where.detach() for where in net.locate([x]))
    assert float((theta[:, :1] * theta[:, 1:]).abs().max()) == pytest.approx(0.5, abs=1e-5)
    assert centre_initial_crops(net, [x]) == pytest.approx(1)  # they are in by then


def test_freezing_keeps_the_first_layers():
    net = micro()
    freeze_first_layers(net, 0.5)
    frozen = [name for name, p in net.named_parameters() if not p.requires_grad]
    assert frozen == [f"net.features.conv{k}.{what}" for k in (1, 2, 3, 4) for what in ("weight", "bias")]


def test_parameter_count_of_the_alexnet_version():
    net = build_ranker(Architecture("alexnet", (1.0,), standardise=False), seed=0, pretrained=False)
    conv = sum(
        out * (inside * side * side) + out
        for out, inside, side in ((64, 3, 11), (192, 64, 5), (384, 192, 3), (256, 384, 3), (256, 256, 3))
    )
    assert conv == 2_469_696
    head = (256 * 128 + 128) + (6 * 6 * 128 * 128 + 128) + (128 * 3 + 3)
    fc = (256 * 36 * 4096 + 4096) + (4096 * 4096 + 4096)
    assert count_parameters(net.localisers) == conv + head
    assert count_parameters(net.extractor) == conv + fc  # fc8 decides nothing here and is gone
    assert count_parameters(net.score) == 8192 + 1
    assert count_parameters(net) == 2 * conv + head + fc + 8193
