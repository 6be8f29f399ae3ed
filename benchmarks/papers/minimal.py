"""The shortest script that does what `edge-infer` does first: a peer to measure its start and memory against."""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
spec, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
_, height, width, channels = spec["shape"]
scale, zero = spec["quantization"]
pixels = np.asarray(Image.open(sys.argv[2]).convert("L").resize((width, height), Image.Resampling.BILINEAR))
tensor = np.rint((pixels / 255 - 0.5) / 0.25 / scale + zero).clip(-128, 127).astype(np.int8)
interpreter.set_tensor(spec["index"], np.repeat(tensor[None, :, :, None], channels, 3))
interpreter.invoke()
logits = (interpreter.get_tensor(out["index"])[0].astype(np.float32) - out["quantization"][1]) * out["quantization"][0]
scores = np.exp(logits - logits.max())
print(scores / scores.sum())
