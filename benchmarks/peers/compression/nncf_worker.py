"""NNCF's quantization after the training, in its own environment: `python -I nncf_worker.py ONNX IMAGES.npy XML`."""

from __future__ import annotations

import sys

import numpy as np


def main(source: str, images: str, destination: str) -> None:
    """Write OpenVINO's form of the network in int8, as NNCF's documentation begins: its settings as they are."""
    import nncf
    import openvino

    calibration = np.load(images, allow_pickle=False)
    network = openvino.Core().read_model(source)
    data = nncf.Dataset([calibration[number : number + 1] for number in range(len(calibration))])
    quantized = nncf.quantize(network, data, subset_size=len(calibration))
    openvino.save_model(quantized, destination, compress_to_fp16=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
