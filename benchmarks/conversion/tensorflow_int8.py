"""A float32 TFLite file in int8 by TensorFlow's calibrator and quantizer: `python -m ... FOLDER`, for `routes`.

It reads FOLDER/float32.tflite and FOLDER/calibration.npy, float32 (images, height, width, channels), and writes
FOLDER/int8.tflite.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np


def main(folder: Path) -> None:
    import tensorflow as tf
    from tensorflow.lite.python import convert
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    calibration = np.load(folder / "calibration.npy", allow_pickle=False)

    def samples() -> Iterator[list[np.ndarray]]:
        for image in calibration:
            yield [image[None]]

    calibrated = Calibrator((folder / "float32.tflite").read_bytes()).calibrate(samples)
    made = convert.mlir_quantize(calibrated, fully_quantize=True, input_data_type=tf.int8, output_data_type=tf.int8)
    (folder / "int8.tflite").write_bytes(made)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
