"""The other half of the route onnx2tf: ONNX to a Keras network, and from it to a float32 TFLite flatbuffer.

`python onnx2tf_worker.py WORK DONE` does what WORK/numbers names, a number a line. For number N it reads
WORK/N/network.onnx and writes WORK/N.tflite; as soon as one is complete, a line "N" goes to the file descriptor DONE.
"""

from __future__ import annotations

import importlib.util
import os
import select
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np


def main(work: Path, done: int) -> None:
    """Convert what is asked for in the folder `work`, which is also the working directory."""
    threading.Thread(target=_end_with, args=(done, work), daemon=True).start()
    import onnx2tf
    import tensorflow as tf

    _operators().install(onnx2tf.onnx2tf)

    np.save(work / "calibration_image_sample_data_20x128x128x3_float32.npy", np.zeros(1))  # so that it is not fetched
    for number in (work / "numbers").read_text().split():
        tf.keras.backend.clear_session()  # names of layers begin at the first, as in a process of their own
        given = _inputs(work / number / "network.onnx")
        network = onnx2tf.convert(
            input_onnx_file_path=str(work / number / "network.onnx"),
            output_folder_path=str(work / number / "saved"),
            output_signaturedefs=True,  # names without a slash in front
            keep_shape_absolutely_input_names=[name for name, rank in given.items() if rank != 4],
            not_use_onnxsim=True,  # would be another process for each network
            disable_strict_mode=True,  # no trying which order of axes fits best
            disable_model_save=True,
            non_verbose=True,
        )
        converter = tf.lite.TFLiteConverter.from_saved_model(_saved(network, work / number / "saved"))
        converter.allow_custom_ops = True  # what stands for GELU
        (work / f"{number}.tflite").write_bytes(converter.convert())
        os.write(done, f"{number}\n".encode())


def _operators() -> Any:
    """Return the module beside this program; its package would import PyTorch, and its folder has another onnx2tf."""
    path = Path(__file__).with_name("onnx2tf_operators.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _inputs(path: Path) -> dict[str, int]:
    """Return the inputs of an ONNX file: how many axes each of them has."""
    import onnx

    graph = onnx.load(str(path)).graph
    return {given.name: len(given.type.tensor_type.shape.dim) for given in graph.input}


def _saved(network: Any, path: Path) -> str:
    """Write the Keras network to a folder, and return its name; Keras itself would write all weights as text, too."""
    import tensorflow as tf
    import tf_keras

    archive = tf_keras.export.ExportArchive()
    archive.add_endpoint(
        "serving_default",
        lambda *given: dict(zip(network.output_names, tf.nest.flatten(network(given)), strict=True)),
        [tf.TensorSpec(tensor.shape, tensor.dtype, tensor.name) for tensor in network.inputs],
    )
    archive.write_out(str(path))
    return str(path)


def _end_with(reader: int, work: Path) -> None:
    """End this process, and remove its folder, as soon as nobody reads what it tells: its parent was killed, say.

    Args:
        reader: the descriptor DONE, a pipe's end to write to.
    """
    waiting = select.poll()
    waiting.register(reader, 0)  # an error alone, which the other end's closing is
    waiting.poll()
    shutil.rmtree(work, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
