"""CRC-32C is loaded without what makes its package slow, and is the same function."""

from __future__ import annotations

import subprocess
import sys

import crc32c as package

from kafkacompat.records import crc


def test_the_check_value_of_the_polynomial() -> None:
    assert crc.crc32c(b"123456789") == 0xE3069283
    assert crc.crc32c(memoryview(b"6789"), crc.crc32c(b"12345")) == 0xE3069283


def test_the_extension_is_found_and_is_the_packages() -> None:
    module = crc.extension()
    assert module is not None and module.crc32c(b"abc") == package.crc32c(b"abc")


def test_the_hot_path_imports_nothing_heavy() -> None:
    code = "import kafkacompat.log.logs, kafkacompat.log.engines.memory, sys; print(sorted(sys.modules))"
    names = subprocess.run([sys.executable, "-S", "-c", _PATHS + code], capture_output=True, text=True, check=True).stdout
    for heavy in ("importlib.metadata", "argparse", "asyncio", "dataclasses", "logging", "lz4", "cramjam", "zstd", "zlib"):
        assert f"'{heavy}" not in names


_PATHS = f"import sys; sys.path[:] = {sys.path!r}\n"
