"""Published figures of networks: parameters, ImageNet accuracy, size of the weights file. Does not import torch.

Those of torchvision are the ones it states with its weights; a test compares them with the installed torchvision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DECIDES_RESULTS = False


@dataclass(frozen=True)
class PublishedFigures:
    """Figures of a network and its weights.

    Parameters
    ----------
    parameters : number of trained parameters.
    top1 : accuracy on the validation images of ImageNet-1k, one crop, in %; None if none is known.
    source : where the accuracy is published, and how the network evaluated there differs.
    input_size : side in px of the square input.
    megabytes : size of the weights file, 1 MB being 10**6 bytes.
    """

    parameters: int
    top1: float | None
    source: str
    input_size: int
    megabytes: float


_TIMM = "timm"
_TIMM_PADDED = "timm, with TensorFlow's padding"
_TORCHVISION = "torchvision"

OWN: Mapping[str, PublishedFigures] = {
    # the accuracy of these weights is known with TensorFlow's padding only, from results/results-imagenet.csv of
    # huggingface/pytorch-image-models
    "efficientnet_lite0": PublishedFigures(4_652_008, 74.830, _TIMM_PADDED, 224, 18.8),
    "efficientnet_lite1": PublishedFigures(5_416_680, 76.644, _TIMM_PADDED, 240, 21.9),
    "efficientnet_lite2": PublishedFigures(6_092_072, 77.464, _TIMM_PADDED, 260, 24.7),
    "tf_efficientnet_lite0": PublishedFigures(4_652_008, 74.830, _TIMM, 224, 18.8),
    "tf_efficientnet_lite1": PublishedFigures(5_416_680, 76.644, _TIMM, 240, 21.9),
    "tf_efficientnet_lite2": PublishedFigures(6_092_072, 77.464, _TIMM, 260, 24.7),
    "caffenet": PublishedFigures(60_965_224, None, "", 227, 243.9),
}
"""Networks that relattr defines; the size of CaffeNet is that of its parameters in single precision."""

TORCHVISION: Mapping[str, PublishedFigures] = {
    name: PublishedFigures(parameters, top1, _TORCHVISION, input_size, megabytes)
    for name, parameters, top1, input_size, megabytes in (
        ("alexnet", 61_100_840, 56.522, 224, 244.4),
        ("convnext_base", 88_591_464, 84.062, 224, 354.5),
        ("convnext_large", 197_767_336, 84.414, 224, 791.2),
        ("convnext_small", 50_223_688, 83.616, 224, 201.0),
        ("convnext_tiny", 28_589_128, 82.52, 224, 114.4),
        ("densenet121", 7_978_856, 74.434, 224, 32.3),
        ("densenet161", 28_681_000, 77.138, 224, 115.7),
        ("densenet169", 14_149_480, 75.6, 224, 57.4),
        ("densenet201", 20_013_928, 76.896, 224, 81.1),
        ("efficientnet_b0", 5_288_548, 77.692, 224, 21.4),
        ("efficientnet_b1", 7_794_184, 79.838, 240, 31.6),
        ("efficientnet_b2", 9_109_994, 80.608, 288, 36.9),
        ("efficientnet_b3", 12_233_232, 82.008, 300, 49.5),
        ("efficientnet_b4", 19_341_616, 83.384, 380, 78.1),
        ("efficientnet_b5", 30_389_784, 83.444, 456, 122.5),
        ("efficientnet_b6", 43_040_704, 84.008, 528, 173.4),
        ("efficientnet_b7", 66_347_960, 84.122, 600, 267.0),
        ("efficientnet_v2_l", 118_515_272, 85.808, 480, 476.7),
        ("efficientnet_v2_m", 54_139_356, 85.112, 480, 218.1),
        ("efficientnet_v2_s", 21_458_488, 84.228, 384, 86.7),
        ("googlenet", 6_624_904, 69.778, 224, 52.1),
        ("inception_v3", 27_161_264, 77.294, 299, 109.0),
        ("maxvit_t", 30_919_624, 83.7, 224, 124.5),
        ("mnasnet0_5", 2_218_512, 67.734, 224, 9.0),
        ("mnasnet0_75", 3_170_208, 71.18, 224, 12.9),
        ("mnasnet1_0", 4_383_312, 73.456, 224, 17.7),
        ("mnasnet1_3", 6_282_256, 76.506, 224, 25.4),
        ("mobilenet_v2", 3_504_872, 72.154, 224, 14.3),
        ("mobilenet_v3_large", 5_483_032, 75.274, 224, 22.1),
        ("mobilenet_v3_small", 2_542_856, 67.668, 224, 10.3),
        ("regnet_x_16gf", 54_278_536, 82.716, 224, 217.7),
        ("regnet_x_1_6gf", 9_190_136, 79.668, 224, 37.1),
        ("regnet_x_32gf", 107_811_560, 83.014, 224, 432.1),
        ("regnet_x_3_2gf", 15_296_552, 81.196, 224, 61.6),
        ("regnet_x_400mf", 5_495_976, 74.864, 224, 22.3),
        ("regnet_x_800mf", 7_259_656, 77.522, 224, 29.3),
        ("regnet_x_8gf", 39_572_648, 81.682, 224, 158.8),
        ("regnet_y_128gf", 644_812_894, 88.228, 384, 2581.1),
        ("regnet_y_16gf", 83_590_140, 82.886, 224, 335.0),
        ("regnet_y_1_6gf", 11_202_430, 80.876, 224, 45.2),
        ("regnet_y_32gf", 145_046_770, 83.368, 224, 581.0),
        ("regnet_y_3_2gf", 19_436_338, 81.982, 224, 78.2),
        ("regnet_y_400mf", 4_344_144, 75.804, 224, 17.6),
        ("regnet_y_800mf", 6_432_512, 78.828, 224, 26.0),
        ("regnet_y_8gf", 39_381_472, 82.828, 224, 158.0),
        ("resnet101", 44_549_160, 81.886, 224, 178.8),
        ("resnet152", 60_192_808, 82.284, 224, 241.7),
        ("resnet18", 11_689_512, 69.758, 224, 46.8),
        ("resnet34", 21_797_672, 73.314, 224, 87.3),
        ("resnet50", 25_557_032, 80.858, 224, 102.5),
        ("resnext101_32x8d", 88_791_336, 82.834, 224, 356.2),
        ("resnext101_64x4d", 83_455_272, 83.246, 224, 334.8),
        ("resnext50_32x4d", 25_028_904, 81.198, 224, 100.5),
        ("shufflenet_v2_x0_5", 1_366_792, 60.552, 224, 5.5),
        ("shufflenet_v2_x1_0", 2_278_604, 69.362, 224, 9.2),
        ("shufflenet_v2_x1_5", 3_503_624, 72.996, 224, 14.2),
        ("shufflenet_v2_x2_0", 7_393_996, 76.23, 224, 29.8),
        ("squeezenet1_0", 1_248_424, 58.092, 224, 5.0),
        ("squeezenet1_1", 1_235_496, 58.178, 224, 5.0),
        ("swin_b", 87_768_224, 83.582, 224, 351.7),
        ("swin_s", 49_606_258, 83.196, 224, 199.0),
        ("swin_t", 28_288_354, 81.474, 224, 113.4),
        ("swin_v2_b", 87_930_848, 84.112, 256, 352.7),
        ("swin_v2_s", 49_737_442, 83.712, 256, 199.9),
        ("swin_v2_t", 28_351_570, 82.072, 256, 113.9),
        ("vgg11", 132_863_336, 69.02, 224, 531.5),
        ("vgg11_bn", 132_868_840, 70.37, 224, 531.5),
        ("vgg13", 133_047_848, 69.928, 224, 532.2),
        ("vgg13_bn", 133_053_736, 71.586, 224, 532.2),
        ("vgg16", 138_357_544, 71.592, 224, 553.4),
        ("vgg16_bn", 138_365_992, 73.36, 224, 553.5),
        ("vgg19", 143_667_240, 72.376, 224, 574.7),
        ("vgg19_bn", 143_678_248, 74.218, 224, 574.8),
        ("vit_b_16", 86_567_656, 81.072, 224, 346.3),
        ("vit_b_32", 88_224_232, 75.912, 224, 353.0),
        ("vit_h_14", 633_470_440, 88.552, 518, 2534.0),
        ("vit_l_16", 304_326_632, 79.662, 224, 1217.4),
        ("vit_l_32", 306_535_400, 76.972, 224, 1226.3),
        ("wide_resnet101_2", 126_886_696, 82.51, 224, 508.3),
        ("wide_resnet50_2", 68_883_240, 81.602, 224, 275.9),
    )
}
"""Networks of torchvision with their default weights."""
