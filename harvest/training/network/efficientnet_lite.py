"""EfficientNet-Lite0, which transformers does not have, as a transformers model of its own.

Importing this module registers it, so that its saved directories load like any other network's:

    import harvest.training.network.efficientnet_lite
    from transformers import pipeline
    classify = pipeline("image-classification", "dataset.runs/2026-11-28_1200")

EfficientNet-Lite (Google, 2020) is EfficientNet without squeeze-and-excitation and with ReLU6, so that it quantises
well and runs on phones: MobileNetV2's blocks with other widths, and 5 × 5 kernels in some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from torch import nn
from transformers import AutoConfig, AutoModelForImageClassification, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutputWithNoAttention

if TYPE_CHECKING:
    from torch import Tensor

MODEL_TYPE = "classharvest_efficientnet_lite"  # of our own: transformers may add a model with the plain name

_STEM, _FEATURES = 32, 1280  # channels
# Google trained it in TensorFlow with a momentum of 0.99, which PyTorch counts the other way round.
_EPSILON, _MOMENTUM = 1e-3, 0.01


class _Stage(NamedTuple):
    """Blocks of one width; the first of them has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


class EfficientNetLiteConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """Configuration of EfficientNet-Lite0; its widths and depths are fixed."""

    model_type = MODEL_TYPE
    image_size: int = 224
    dropout: float = 0.2


class ConvolutionLayer(nn.Module):
    """A convolution with TensorFlow's padding, a batch normalisation and, if wanted, ReLU6."""

    def __init__(
        self, channels: int, out: int, *, kernel: int = 1, stride: int = 1, groups: int = 1, activation: bool = True
    ) -> None:
        super().__init__()
        # With a stride, TensorFlow pads by the size of the input; without one, both sides alike.
        self._kernel, self._stride = kernel, stride
        padding = kernel // 2 if stride == 1 else 0
        self.convolution = nn.Conv2d(channels, out, kernel, stride, padding, groups=groups, bias=False)
        self.normalization = nn.BatchNorm2d(out, eps=_EPSILON, momentum=_MOMENTUM)
        self.activation = nn.ReLU6() if activation else nn.Identity()

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the output of the layer."""
        if self._stride > 1:
            top, bottom = _padding(pixels.shape[-2], self._kernel, self._stride)
            left, right = _padding(pixels.shape[-1], self._kernel, self._stride)
            pixels = nn.functional.pad(pixels, (left, right, top, bottom))
        output: Tensor = self.activation(self.normalization(self.convolution(pixels)))
        return output


def _padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the padding before and after that TensorFlow calls SAME.

    >>> _padding(224, 3, 2), _padding(7, 5, 2)
    ((0, 1), (2, 2))
    """
    missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return missing // 2, missing - missing // 2


class InvertedResidual(nn.Module):
    """Expand the channels, filter each one alone, and project them back."""

    def __init__(self, channels: int, out: int, *, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.expand = ConvolutionLayer(channels, wide) if expansion > 1 else nn.Identity()
        self.filter = ConvolutionLayer(wide, wide, kernel=kernel, stride=stride, groups=wide)
        self.project = ConvolutionLayer(wide, out, activation=False)
        self._has_shortcut = stride == 1 and channels == out

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the output of the block."""
        output: Tensor = self.project(self.filter(self.expand(pixels)))
        return pixels + output if self._has_shortcut else output


class EfficientNetLiteBackbone(nn.Module):
    """The network below the head: an image to 1,280 features."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvolutionLayer(3, _STEM, kernel=3, stride=2)
        self.blocks = nn.Sequential(*_blocks())
        self.top = ConvolutionLayer(_STAGES[-1].channels, _FEATURES)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the features of a batch of images."""
        output: Tensor = self.top(self.blocks(self.stem(pixels))).mean((-2, -1))
        return output


def _blocks() -> list[InvertedResidual]:
    blocks, channels = [], _STEM
    for stage in _STAGES:
        for number in range(stage.blocks):
            stride = stage.stride if number == 0 else 1
            blocks.append(
                InvertedResidual(
                    channels, stage.channels, kernel=stage.kernel, stride=stride, expansion=stage.expansion
                )
            )
            channels = stage.channels
    return blocks


class EfficientNetLiteForImageClassification(PreTrainedModel):
    """EfficientNet-Lite0 with a linear head."""

    config_class = EfficientNetLiteConfig
    base_model_prefix = "backbone"
    main_input_name = "pixel_values"

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__(config)
        self.backbone = EfficientNetLiteBackbone()
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(_FEATURES, len(config.id2label or ()))
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self, pixel_values: Tensor, labels: Tensor | None = None, **_: Any
    ) -> ImageClassifierOutputWithNoAttention:
        """Return the logits of a batch of images, and their loss if `labels` are given."""
        logits = self.classifier(self.dropout(self.backbone(pixel_values)))
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return ImageClassifierOutputWithNoAttention(loss=loss, logits=logits)


AutoConfig.register(MODEL_TYPE, EfficientNetLiteConfig, exist_ok=True)
AutoModelForImageClassification.register(EfficientNetLiteConfig, EfficientNetLiteForImageClassification, exist_ok=True)
