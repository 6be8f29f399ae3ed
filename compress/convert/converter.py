"""The TensorFlow half of a conversion, a process of its own: ONNX to a SavedModel, and from it to TFLite flatbuffers.

`python -m compress.convert.converter WORK DONE` does what WORK/requests.json asks for, a list of lists of kinds. For
request number N it reads WORK/N/network.onnx and WORK/N/calibration.*.npy, and writes WORK/N/KIND.tflite. As soon as
one is written, a line "N KIND" goes to the file descriptor DONE.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

ONNX2TF_SAMPLE = "calibration_image_sample_data_20x128x128x3_float32.npy"


def main(work: Path, done: int) -> None:
    """Convert what is asked for in the folder `work`, which is also the working directory."""
    threading.Thread(target=_end_with, args=(os.getppid(), work), daemon=True).start()
    import onnx2tf
    import tensorflow as tf

    # onnx2tf wants to fetch this file for any RGB input, to compare outputs that are not used here.
    np.save(work / ONNX2TF_SAMPLE, np.zeros((20, 128, 128, 3), np.float32))
    for number, kinds in enumerate(json.loads((work / "requests.json").read_text())):
        place = work / str(number)
        tf.keras.backend.clear_session()  # names of layers begin anew, as in a process of their own
        onnx2tf.convert(
            input_onnx_file_path=str(place / "network.onnx"),
            output_folder_path=str(place / "saved"),
            output_signaturedefs=True,
            copy_onnx_input_output_names_to_tflite=True,
            non_verbose=True,
        )
        for kind in kinds:
            flatbuffer = _flatbuffer(tf, place, kind)
            (place / f"{kind}.tflite").write_bytes(_with_shared_vectors(flatbuffer))
            os.write(done, f"{number} {kind}\n".encode())


def _flatbuffer(tf: Any, place: Path, kind: str) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(place / "saved"))
    if kind == "int8":
        inputs = [np.load(path) for path in sorted(place.glob("calibration.*.npy"))]
        names = [path.name.split(".")[1] for path in sorted(place.glob("calibration.*.npy"))]

        def samples() -> Any:
            for one in zip(*inputs, strict=True):
                yield [one[0][None]] if len(one) == 1 else {n: x[None] for n, x in zip(names, one, strict=True)}

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def _with_shared_vectors(flatbuffer: bytes) -> bytes:
    """Return the same model with vectors of equal content stored once.

    Quantization by channel gives every convolution a zero point for each channel, 8 bytes that are always 0: without
    this they are a twelfth of a ghost network's file.
    """
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    class Builder(flatbuffers.Builder):
        def __init__(self, size: int) -> None:
            super().__init__(size)
            self.made: dict[tuple[str, bytes], int] = {}

        def CreateNumpyVector(self, x: np.ndarray) -> int:
            key = x.dtype.str, x.tobytes()
            if key not in self.made:
                if x.dtype == np.uint8:  # weights: the schema wants them aligned to 16 bytes
                    self.StartVector(1, x.size, 16)
                    self.head -= x.size
                    self.Bytes[self.head : self.head + x.size] = key[1]
                    self.made[key] = self.EndVector()
                else:
                    self.made[key] = super().CreateNumpyVector(x)
            return self.made[key]

    builder = Builder(len(flatbuffer))
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer, 0))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _end_with(parent: int, work: Path) -> None:
    """End this process, and remove its folder, as soon as the one that wanted it is gone (killed, say)."""
    while os.getppid() == parent:
        time.sleep(0.5)
    shutil.rmtree(work, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
