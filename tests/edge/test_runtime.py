"""Both runtimes: what they say of themselves, what they refuse, what they never do in silence."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from edge import runtime
from edge.errors import EdgeError


def test_what_ran_is_said(each_runtime, flatbuffer):
    opened = runtime.open_runtime(flatbuffer, each_runtime, threads=2)
    assert opened.name == each_runtime and opened.threads == 2 and opened.version[0].isdigit()
    # int8 runs in XNNPACK in LiteRT only (docs/model-file.md, kernel paths).
    assert opened.delegate == {"litert": "xnnpack", "tflite": "none"}[each_runtime]
    assert opened.kernel_path == {"litert": "xnnpack", "tflite": "builtin"}[each_runtime]
    (entry,), (output,) = opened.inputs, opened.outputs
    assert entry.shape == (1, 24, 24, 3) and entry.dtype == "int8"
    assert output.shape == (1, 2) and output.scale > 0


def test_float_networks_run(each_runtime, float_flatbuffer):
    opened = runtime.open_runtime(float_flatbuffer, each_runtime)
    assert opened.inputs[0].dtype == opened.outputs[0].dtype == "float32" and opened.delegate == "xnnpack"
    (raw,) = opened.run(np.zeros((1, 24, 24, 3), np.float32))
    assert raw.shape == (1, 2) and raw.dtype == np.float32


def test_the_same_input_gives_the_same_bytes(each_runtime, flatbuffer):
    tensor = np.random.default_rng(0).integers(-128, 128, (1, 24, 24, 3), dtype=np.int8)
    runs = {runtime.open_runtime(flatbuffer, each_runtime, threads).run(tensor)[0].tobytes() for threads in (1, 2, 1)}
    assert len(runs) == 1


def test_what_follows_the_flatbuffer_does_not_matter(each_runtime, flatbuffer, model_bytes):
    tensor = np.full((1, 24, 24, 3), 7, np.int8)
    alone, packed = (runtime.open_runtime(data, each_runtime).run(tensor)[0] for data in (flatbuffer, model_bytes))
    assert np.array_equal(alone, packed)


def test_auto_takes_litert_first(flatbuffer, runtimes):
    assert runtime.open_runtime(flatbuffer).name == runtimes[0]


def test_nonsense_is_refused(each_runtime, flatbuffer):
    for data in (b"hello" * 10, b"\0\0\0\0XXXX" + flatbuffer[8:]):
        with pytest.raises(EdgeError, match="can't load the network"):
            runtime.open_runtime(data, each_runtime)
    opened = runtime.open_runtime(flatbuffer, each_runtime)
    with pytest.raises(EdgeError, match="can't run the network"):
        opened.run(np.zeros((1, 2, 2, 3), np.int8))


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, 1000])
def test_threads_have_limits(flatbuffer, threads):
    with pytest.raises(EdgeError, match="1 to 64"):
        runtime.open_runtime(flatbuffer, threads=threads)


def test_an_unknown_name_is_refused(flatbuffer):
    with pytest.raises(EdgeError, match="auto, litert, tflite"):
        runtime.open_runtime(flatbuffer, "onnx")


def hide(monkeypatch, *modules):
    """Make these top-level modules look as if they were not installed."""

    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in modules:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name.split(".")[0])

    for name in list(sys.modules):
        if name.split(".")[0] in modules:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])


@pytest.mark.parametrize(
    ("name", "command"), [("litert", "pip install ai-edge-litert"), ("tflite", "pip install tflite-runtime")]
)
def test_a_runtime_that_is_not_installed_names_the_command(monkeypatch, flatbuffer, name, command):
    hide(monkeypatch, "ai_edge_litert", "tflite_runtime")
    with pytest.raises(EdgeError, match=command):
        runtime.open_runtime(flatbuffer, name)
    with pytest.raises(EdgeError, match="no TFLite runtime is installed"):
        runtime.open_runtime(flatbuffer)


def test_a_32_bit_python_is_told_what_there_is_for_it(monkeypatch, flatbuffer):
    """Whatever the kernel is: pip's markers see that one, and ask for LiteRT, which has no 32-bit wheels."""
    hide(monkeypatch, "ai_edge_litert", "tflite_runtime")
    here = SimpleNamespace(maxsize=2**31 - 1, version_info=(3, 11), modules=sys.modules, stderr=sys.stderr)
    monkeypatch.setattr(runtime, "sys", here)
    for name in ("auto", "litert", "tflite", "edgetpu"):
        with pytest.raises(
            EdgeError, match=r'3\.11\) is a 32-bit one: `pip install tflite-runtime "numpy<2"`'
        ) as raised:
            runtime.import_runtime(name)
        assert "edge-deploy push pi-armv7" in str(raised.value) and "ai-edge-litert" not in str(raised.value)
        assert raised.value.code == "runtime.missing"


def test_auto_takes_tflite_where_litert_is_not_installed(monkeypatch, flatbuffer, runtimes):
    if "tflite" not in runtimes:
        pytest.skip("the runtime tflite is not installed")
    hide(monkeypatch, "ai_edge_litert")
    assert runtime.open_runtime(flatbuffer).name == "tflite"


def broken(monkeypatch, tmp_path, package, line):
    """Put a runtime in front that fails in this way."""
    for module in (package, f"{package}.interpreter"):  # else the one imported from here stays where there was none
        monkeypatch.setitem(sys.modules, module, sys.modules.get(module))
    for name in list(sys.modules):
        if name.split(".")[0] == package:
            monkeypatch.delitem(sys.modules, name)
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("__version__ = '0'\n")
    (tmp_path / package / "interpreter.py").write_text(line)
    monkeypatch.syspath_prepend(tmp_path)


def test_a_runtime_that_does_not_start_is_no_reason_to_take_another(monkeypatch, tmp_path, flatbuffer):
    broken(monkeypatch, tmp_path, "ai_edge_litert", "raise ImportError('GLIBC_2.99 not found')")
    with pytest.raises(EdgeError, match=r"does not start \(GLIBC_2.99 not found\).*--runtime tflite"):
        runtime.open_runtime(flatbuffer)


def test_a_ctrl_c_that_a_native_module_disguises_stays_one(monkeypatch, tmp_path, flatbuffer):
    broken(monkeypatch, tmp_path, "ai_edge_litert", "raise ImportError('KeyboardInterrupt: <EMPTY MESSAGE>')")
    with pytest.raises(KeyboardInterrupt):
        runtime.open_runtime(flatbuffer)


def test_a_ctrl_c_while_the_runtime_loads_a_network_stays_one(monkeypatch, tmp_path, flatbuffer):
    line = "raise ImportError('numpy.core.multiarray failed to import') from KeyboardInterrupt()"
    broken(monkeypatch, tmp_path, "ai_edge_litert", f"def Interpreter(**options):\n    {line}\n")
    with pytest.raises(KeyboardInterrupt):
        runtime.open_runtime(flatbuffer)


def test_a_dependency_that_is_missing_is_said(monkeypatch, tmp_path, flatbuffer):
    broken(monkeypatch, tmp_path, "ai_edge_litert", "import flatbuffers_that_nobody_has")
    with pytest.raises(EdgeError, match="flatbuffers_that_nobody_has"):
        runtime.open_runtime(flatbuffer)


def test_tflite_runtime_with_numpy_2_is_explained(monkeypatch, tmp_path, flatbuffer):
    broken(monkeypatch, tmp_path, "tflite_runtime", "raise ImportError('numpy.core.multiarray failed to import')")
    monkeypatch.setattr(np, "__version__", "2.1.0")
    with pytest.raises(EdgeError, match='pip install "numpy<2"'):
        runtime.open_runtime(flatbuffer, "tflite")


def test_chatter_is_held_back_and_warnings_are_not(capfd):
    with runtime.quiet():
        os.write(2, b"INFO: Created a delegate.\nWARNING: something is wrong\n")
    assert capfd.readouterr().err == "WARNING: something is wrong\n"
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_loading_writes_nothing(capfd, each_runtime, flatbuffer):
    runtime.open_runtime(flatbuffer, each_runtime)
    assert capfd.readouterr() == ("", "")


def test_an_output_of_another_shape_than_declared_is_refused():
    """Some operators decide while they run how much they give."""

    class Deciding:
        """An interpreter whose output grows."""

        def get_input_details(self):
            return [{"index": 0, "shape": (1, 2), "dtype": np.float32, "quantization": (0.0, 0)}]

        get_output_details = get_input_details

        def _get_ops_details(self):
            return []

        def set_tensor(self, index, tensor):
            pass

        def invoke(self):
            pass

        def get_tensor(self, index):
            return np.zeros((7, 4), np.float32)

    opened = runtime.Runtime(Deciding(), "litert", "0", 1)
    with pytest.raises(EdgeError, match=r"output is \(7, 4\) after it ran, and \(1, 2\) before"):
        opened.run(np.zeros((1, 2), np.float32))
