"""Memory for a broker under test that does not cost the hypervisor anything.

On a virtual machine the first touch of a page costs up to 2.5 s/GB, and a balloon with free page reporting takes pages back about two seconds after
they are free: touching and freeing before a round does not last through it. So a process of its own touches the memory and holds it, and gives it
back little by little, as fast as the machine's free memory shrinks: the pages freed last are the ones that the kernel hands out next.
"""

from __future__ import annotations

import mmap
import select
import subprocess
import sys
from types import TracebackType

CHUNK = 8 << 20
AHEAD = 48 << 20
"""What is kept free beyond what was free at first."""


class Warm:
    """`with Warm(2_000_000_000): ...`: this much memory is at hand, touched, for whoever takes it meanwhile. 0: nothing is done."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> None:
        if self.size:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bench.memory", str(self.size)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            assert self.process.stdout is not None
            self.process.stdout.readline()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process is not None:
            self.process.communicate()


def _free() -> int:
    with open("/proc/meminfo", "rb") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(b"MemFree"))


def hold(size: int) -> None:
    """Touches, says so, gives back as needed; ends when standard input does."""
    page = b"\1" * (1 << 20)
    held = []
    for _ in range(-(-size // CHUNK)):
        chunk = mmap.mmap(-1, CHUNK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        chunk.madvise(mmap.MADV_HUGEPAGE)
        for _ in range(CHUNK >> 20):
            chunk.write(page)
        held.append(chunk)
    floor = _free() + AHEAD
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0.005)[0]:
        short = floor - _free()
        while short > 0 and held:
            held.pop().close()
            short -= CHUNK


if __name__ == "__main__":
    hold(int(sys.argv[1]))
