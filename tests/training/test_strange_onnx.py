"""model.onnx from an untrusted source: size and shapes are checked before loading, and memory is limited."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harvest.errors import TrainingError
from harvest.training.predictor import Predictor
from tests.peak_memory import linux_only

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - where it is installed

ROOT = Path(__file__).parents[2]
BATCH, SIDE = "batch", 32


def node(kind, *names, **attributes):
    *given, made = names
    return helper.make_node(kind, given, [made], **attributes)


def saved(path, nodes, tensors=(), *, side=SIDE, functions=(), **domains):
    """Write a network with the input of an export and two labels."""
    taken = helper.make_tensor_value_info("image", TensorProto.UINT8, [BATCH, side, side, 3])
    given = helper.make_tensor_value_info("probability", TensorProto.FLOAT, [BATCH, 2])
    graph = helper.make_graph(nodes, "network", [taken], [given], tensors)
    versions = [helper.make_opsetid("", 18), *(helper.make_opsetid(name, 1) for name in domains)]
    model = helper.make_model(graph, opset_imports=versions, functions=functions, ir_version=9)
    helper.set_model_props(model, {"labels": '["a", "b"]'})
    path.mkdir(exist_ok=True)
    onnx.save(model, path / "model.onnx")
    return path


PLAIN = (
    node("Cast", "image", "numbers", to=TensorProto.FLOAT),
    node("ReduceMean", "numbers", "axes", "middle", keepdims=0),
    node("Slice", "middle", "begin", "end", "last", "probability"),
)
TENSORS = (
    numpy_helper.from_array(np.array([1, 2], np.int64), "axes"),
    numpy_helper.from_array(np.array([0], np.int64), "begin"),
    numpy_helper.from_array(np.array([2], np.int64), "end"),
    numpy_helper.from_array(np.array([1], np.int64), "last"),
)


def huge(count):
    """Return the shape of a tensor that an operator creates."""
    return numpy_helper.from_array(np.array([count, count], np.int64), "shape")


def outside(tensor):
    """Declare a tensor as stored in another file."""
    tensor = onnx.TensorProto.FromString(tensor.SerializeToString())
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    return tensor


def declared(*shape):
    """Declare a tensor with more elements than bytes."""
    tensor = numpy_helper.from_array(np.ones(4, np.float32), "more")
    tensor.dims[:] = shape
    return tensor


def endless():
    """Return an operator that never ends."""
    condition = helper.make_tensor_value_info("go", TensorProto.BOOL, [])
    number = helper.make_tensor_value_info("number", TensorProto.INT64, [])
    on = helper.make_tensor_value_info("on", TensorProto.BOOL, [])
    body = helper.make_graph([node("Identity", "go", "on")], "body", [number, condition], [on])
    return helper.make_node("Loop", ["", ""], [], body=body)


def test_a_plain_network_is_taken(tmp_path):
    """A plain network is accepted; the tests below add one invalid part."""
    assert Predictor.open(saved(tmp_path / "run", PLAIN, TENSORS)).labels == ("a", "b")


@pytest.mark.parametrize(
    ("nodes", "tensors", "reason"),
    [
        (PLAIN, (*TENSORS[:3], outside(TENSORS[3])), "are stored in other files"),
        (PLAIN, (*TENSORS, declared(1 << 20, 1 << 20)), "a tensor of 1,099,511,627,776 elements has"),
        (PLAIN, (*TENSORS, declared(-1, -4)), "cannot be used|a tensor of"),
        ((*PLAIN, endless()), TENSORS, "contain other graphs"),
        (
            (*PLAIN, node("Constant", "made", value=declared(1 << 40))),
            TENSORS,
            "a tensor of 1,099,511,627,776 elements has",
        ),
    ],
    ids=["outside", "shape", "negative", "loop", "constant"],
)
def test_X11_a_network_that_no_export_writes_is_refused(tmp_path, nodes, tensors, reason):
    """Tensors in other files or without their bytes, and operators that contain graphs, are refused."""
    (tmp_path / "secret").write_bytes(bytes(8))
    with pytest.raises(TrainingError, match=reason):
        Predictor.open(saved(tmp_path / "run", nodes, tensors))


def test_X11_operators_of_others_are_refused(tmp_path):
    """Operators outside the ONNX standard are refused."""
    nodes = (*PLAIN, node("Anything", "image", "made", domain="com.microsoft"))
    with pytest.raises(TrainingError, match=r"operators of 'com\.microsoft'"):
        Predictor.open(saved(tmp_path / "run", nodes, TENSORS, **{"com.microsoft": 1}))


def test_X11_images_of_any_size_are_not_made(tmp_path):
    """A network for images of a million pixels a side is refused."""
    with pytest.raises(TrainingError, match="was not exported by harvest"):
        Predictor.open(saved(tmp_path / "run", PLAIN, TENSORS, side=1_000_000))


def test_X11_a_file_of_any_size_is_not_loaded(tmp_path):
    """A model.onnx of more than 2 GB is refused by its size."""
    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / "model.onnx").open("wb") as file:
        file.truncate(50 << 30)
    with pytest.raises(TrainingError, match="the limit is 2,147,483,647"):
        Predictor.open(tmp_path / "run")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_X11_a_damaged_file_is_said(tmp_path, share):
    """A truncated or corrupted model.onnx is a TrainingError."""
    run = saved(tmp_path / "run", PLAIN, TENSORS)
    body = (run / "model.onnx").read_bytes()
    (run / "model.onnx").write_bytes(body[: int(share * len(body))])
    with pytest.raises(TrainingError, match="cannot be used"):
        Predictor.open(run)
    (run / "model.onnx").write_bytes(bytes(255 - byte for byte in body))
    with pytest.raises(TrainingError, match="cannot be used"):
        Predictor.open(run)


PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (64 << 30, 64 << 30))
from harvest.errors import TrainingError
from harvest.training.inference import onnx_engine
from tests.peak_memory import peak_memory
onnx_engine.os.sysconf = lambda name: 1  # a machine with little memory
import numpy as np
from pathlib import Path
engine = onnx_engine.OnnxEngine(Path(sys.argv[1]))
try:
    engine(np.zeros((1, 32, 32, 3), np.uint8))
except TrainingError as error:
    print(error.message)
print(peak_memory() // 10**6)
"""


@linux_only
def test_X11_a_network_takes_no_more_memory_than_there_is(tmp_path):
    """An operator that creates a tensor of 10 GB fails without using that memory."""
    nodes = (
        node("ConstantOfShape", "shape", "huge", value=helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])),
        node("ReduceSum", "huge", "sum", keepdims=0),
        node("Add", "middle", "sum", "added"),
        node("Slice", "added", "begin", "end", "last", "probability"),
    )
    run = saved(tmp_path / "run", (*PLAIN[:2], *nodes), (*TENSORS, huge(50_000)))
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, run / "model.onnx"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    messages, peak = ran.stdout.splitlines()
    assert "model.onnx cannot be run" in messages
    assert int(peak) < 1000  # MB


def test_X11_an_export_of_ours_is_taken(exported, tmp_path):
    """An export of harvest is accepted."""
    shutil.copytree(exported, tmp_path / "run")
    assert Predictor.open(tmp_path / "run").engine == "onnx"
