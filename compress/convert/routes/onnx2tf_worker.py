"""The other half of the route onnx2tf: ONNX to a Keras network, and from it to a float32 TFLite flatbuffer.

`python onnx2tf_worker.py WORK DONE` does what WORK/numbers names, a number a line. For number N it reads
WORK/N/network.onnx and writes WORK/N.tflite; as soon as one is complete, a line "N" goes to the file descriptor DONE.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from pathlib import Path

import numpy as np

ONNX2TF_SAMPLE = "calibration_image_sample_data_20x128x128x3_float32.npy"


def main(work: Path, done: int) -> None:
    """Convert what is asked for in the folder `work`, which is also the working directory."""
    threading.Thread(target=_end_with, args=(os.getppid(), work), daemon=True).start()
    import onnx2tf
    import tensorflow as tf

    # onnx2tf wants to fetch this file for any RGB input, to compare its operators on. Zeros would compare nothing.
    np.save(work / ONNX2TF_SAMPLE, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
    for number in (work / "numbers").read_text().split():
        tf.keras.backend.clear_session()  # names of layers begin anew, as in a process of their own
        network = onnx2tf.convert(
            input_onnx_file_path=str(work / number / "network.onnx"),
            output_folder_path=str(work / number / "saved"),
            output_signaturedefs=True,  # names without a slash in front
            disable_model_save=True,
            non_verbose=True,
        )
        flatbuffer = tf.lite.TFLiteConverter.from_keras_model(network).convert()
        (work / f"{number}.tflite").write_bytes(flatbuffer)
        os.write(done, f"{number}\n".encode())


def _end_with(parent: int, work: Path) -> None:
    """End this process, and remove its folder, as soon as the one that wanted it is gone (killed, say)."""
    while os.getppid() == parent:
        time.sleep(0.5)
    shutil.rmtree(work, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
