"""One file a runtime. Each runs in an environment of its own: it imports the standard library, numpy, the graph and
its runtime, nothing else of this project.

A file has these names:

    TITLE: what tables call it
    REQUIREMENTS: what pip installs into its environment, pinned
    KINDS: "int8" and "float", what it can run
    NOTE: what a reader of the table has to know, or ""
    NOT_ON_ARM: why it can't be run on 64-bit Arm from the wheels of its REQUIREMENTS, or ""
    convert(folder, kind, machine) -> str: make its file in the network's folder (benchmarks.peers.network), for a
        machine as Python's platform.machine() calls it; the file's name
    load(path, threads) -> benchmarks.peers.runner.Runner
"""

NAMES = ("litert", "tflite", "onnxruntime", "openvino", "ncnn", "executorch")
BASE = "litert"
