"""TMX, a temperature matrix: "TMX1", width and height as uint16, then rows of uint16, hundredths of a kelvin."""

import struct

import numpy as np
from PIL import Image

from edge.readers import Reader, Request, Stored


def read(data: bytes, request: Request) -> Stored:
    """Return the temperatures as 16-bit grey; the model's `input.window` says which are black and white."""
    width, height = struct.unpack_from("<2H", data, 4)
    request.check_size(width, height)
    values = np.frombuffer(data, "<u2", width * height, 8)
    return Stored(Image.fromarray(values.reshape(height, width)))


READER = Reader("TMX", (b"TMX1",), (".tmx",), read)
