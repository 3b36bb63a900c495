"""Make a model.onnx smaller for phones: with 8 bits instead of 32, if that costs almost no accuracy.

First everything becomes 8 bits, by onnxruntime's static quantisation: the ranges of the activations are measured on
training images. Dynamic quantisation would make convolutions `ConvInteger`, which onnxruntime runs only for some types
(microsoft/onnxruntime#3130). Some networks lose too much that way. Then only the weights are stored in 8 bits, one
scale per output channel, or in 16, and the arithmetic stays as it is: the file is small, but not faster.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from harvest.training.inference import onnx_engine
from harvest.training.inference.reference_features import QUANTILES, AcceptanceQuantiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Views = NDArray[np.uint8]

MOST_LOST = 0.01  # of the accuracy on the validation images
_FEWEST_RIGHT = 5  # right validation images: with fewer, their similarities say nothing
_QUANTISED = ("Conv", "MatMul", "Gemm", "Relu", "Clip")  # a ReLU in the list is merged into the layer before it
_FROM_HERE = ("head.weight", "references")  # what follows stays exact: it costs little and decides all
# Numbers in a tensor that is worth storing in fewer bits. The smaller ones are mostly early layers, whose errors grow
# on the way: with 1,024 instead, lite0 is 0.9 MB smaller, and its probabilities have twice the divergence.
_SMALLEST = 1 << 16
_BATCH = 32


@dataclass(frozen=True, slots=True)
class SmallModel:
    """A model, how its numbers are stored, and its accuracy before and after."""

    data: bytes
    kind: str
    before: float  # accuracy of the original on the validation images; nan without any
    after: float


@dataclass(frozen=True, slots=True, eq=False)
class CheckedImages:
    """Views of training images to measure ranges with, and of validation images with their classes to check with."""

    training: Views
    validation: Views
    targets: NDArray[np.int64]


def shrink_model(model: bytes, images: CheckedImages) -> SmallModel:
    """Return the smallest form of a model.onnx that loses at most `MOST_LOST` of its accuracy.

    Without validation images nothing can be checked, and the model is returned as it is.
    """
    if not len(images.validation) or not len(images.training):
        return SmallModel(model, "32 bits", float("nan"), float("nan"))
    before, _ = _measure(model, images)
    for kind, make in _FORMS.items():
        data = make(model, images.training)
        if len(data) >= len(model):  # a network of small layers alone
            continue
        after, quantiles = _measure(data, images)
        if after >= before - MOST_LOST:
            return SmallModel(_set_quantiles(data, quantiles), kind, before, after)
    return SmallModel(model, "32 bits", before, before)


def _measure(model: bytes, images: CheckedImages) -> tuple[float, AcceptanceQuantiles | None]:
    """Return the accuracy, and the quantiles of the similarities of the right images; None if there are too few."""
    engine = onnx_engine.OnnxEngine(model)
    outputs = [engine(images.validation[at : at + _BATCH]) for at in range(0, len(images.validation), _BATCH)]
    is_right = np.concatenate([output.probabilities for output in outputs]).argmax(axis=1) == images.targets
    similarities = [output.similarities for output in outputs if output.similarities is not None]
    if not similarities or is_right.sum() < _FEWEST_RIGHT:
        return float(is_right.mean()), None
    return float(is_right.mean()), AcceptanceQuantiles.measure(np.concatenate(similarities)[is_right])


def _set_quantiles(data: bytes, quantiles: AcceptanceQuantiles | None) -> bytes:
    """Return the model with the quantiles that it reaches itself: 8 bits move the features."""
    if quantiles is None:
        return data
    model = onnx.load_from_string(data)
    for entry in model.metadata_props:
        if entry.key == QUANTILES:
            entry.value = quantiles.as_text()
    return bytes(model.SerializeToString())


def _quantise(model: bytes, views: Views) -> bytes:
    """Return a model whose weights and activations have 8 bits; the first layer and the head stay exact.

    Weights have 7 bits: onnxruntime adds products of 8 bits in 16 on processors without VNNI, which may overflow.
    """
    from onnxruntime import quantization  # noqa: PLC0415 - takes a second

    parsed = onnx.load_from_string(model)
    log = logging.getLogger()
    level = log.level
    with tempfile.TemporaryDirectory(prefix="harvest-") as folder:
        source, target = Path(folder) / "model.onnx", Path(folder) / "small.onnx"
        source.write_bytes(model)
        try:
            log.setLevel(logging.ERROR)  # it advises everyone to preprocess, which torch's exporter has done
            quantization.quantize_static(
                source,
                target,
                _Calibration(views),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=list(_QUANTISED),
                nodes_to_exclude=_exact_nodes(parsed),
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                per_channel=True,
                reduce_range=True,
            )
        finally:
            log.setLevel(level)
        return target.read_bytes()


class _Calibration:
    """Gives the quantiser one image at a time."""

    def __init__(self, views: Views) -> None:
        self._views = iter(views)

    def get_next(self) -> dict[str, Views] | None:
        view = next(self._views, None)
        return None if view is None else {onnx_engine.INPUT: view[None]}

    def __iter__(self) -> Iterator[dict[str, Views]]:
        return iter(self.get_next, None)

    __next__ = get_next


def _exact_nodes(model: onnx.ModelProto) -> list[str]:
    """Return the first convolution, the head, and everything that the head and the reference features lead to."""
    first = next((node.name for node in model.graph.node if node.op_type == "Conv"), None)
    names, reached = [first] if first else [], set(_FROM_HERE)
    for node in model.graph.node:  # in the order of computation
        if reached.intersection(node.input):
            reached.update(node.output)
            names.append(node.name)
    return names


def _store_weights_in_8_bits(model: bytes, _views: Views) -> bytes:
    return _store_weights(model, _in_8_bits)


def _store_weights_in_16_bits(model: bytes, _views: Views) -> bytes:
    return _store_weights(model, _in_16_bits)


Stored = tuple["Sequence[onnx.TensorProto]", "Sequence[onnx.NodeProto]"]


def _store_weights(model: bytes, store: Callable[[onnx.TensorProto], Stored]) -> bytes:
    """Return a model that stores its large weights in another way and computes as before.

    The nodes that restore the weights have constant inputs, so onnxruntime runs them once, when it loads the model.
    """
    parsed = onnx.load_from_string(model)
    graph = parsed.graph
    kept: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []
    for tensor in graph.initializer:
        tensors, added = store(tensor) if _is_large(tensor) else ([tensor], [])
        kept += tensors
        nodes += added
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    return bytes(parsed.SerializeToString())


def _is_large(tensor: onnx.TensorProto) -> bool:
    """Return whether a weight is worth it; depthwise kernels are small, and lose the most."""
    is_depthwise = len(tensor.dims) > 2 and tensor.dims[1] == 1  # noqa: PLR2004
    is_matrix = tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1
    return is_matrix and not is_depthwise and tensor.name != _FROM_HERE[0] and np.prod(tensor.dims) >= _SMALLEST


def _in_8_bits(tensor: onnx.TensorProto) -> Stored:
    values: NDArray[Any] = numpy_helper.to_array(tensor)
    # A kernel has one scale for each output channel, which is its first axis; a matrix has one for each column.
    axes = tuple(range(1, values.ndim)) if values.ndim > 2 else (0,)  # noqa: PLR2004
    scale = np.maximum(np.abs(values).max(axis=axes, keepdims=True) / 127, np.finfo(np.float32).tiny)
    small, cast = f"{tensor.name}.int8", f"{tensor.name}.float"
    tensors = (
        numpy_helper.from_array(np.rint(values / scale).astype(np.int8), small),
        numpy_helper.from_array(scale.astype(np.float32), f"{tensor.name}.scale"),
    )
    nodes = (
        helper.make_node("Cast", [small], [cast], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", [cast, f"{tensor.name}.scale"], [tensor.name]),
    )
    return tensors, nodes


def _in_16_bits(tensor: onnx.TensorProto) -> Stored:
    small = f"{tensor.name}.float16"
    with np.errstate(over="ignore"):  # what overflows loses accuracy, which is checked
        values = numpy_helper.to_array(tensor).astype(np.float16)
    node = helper.make_node("Cast", [small], [tensor.name], to=onnx.TensorProto.FLOAT)
    return (numpy_helper.from_array(values, small),), (node,)


_FORMS: dict[str, Callable[[bytes, Views], bytes]] = {
    "8 bits": _quantise,
    "weights in 8 bits": _store_weights_in_8_bits,
    "weights in 16 bits": _store_weights_in_16_bits,
}
