import pytest

pytest.register_assert_rewrite("tests.firmware_bridge.comparison")
