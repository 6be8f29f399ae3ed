"""A small model file of the tests' own."""

from tests.edge.conftest import flatbuffer, golden, model, model_bytes  # noqa: F401  (fixtures)
