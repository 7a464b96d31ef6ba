"""What the kernel says a broker used: CPU seconds and resident memory. Linux only (/proc)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*"):
            try:
                found += [int(child) for child in (task / "children").read_text().split()]
            except OSError:
                continue  # a thread that ended meanwhile
    return found


def _stat(path: Path) -> tuple[str, int]:
    """Name of the thread or process and its user + system ticks."""
    text = path.read_text()
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    return name, int(fields[11]) + int(fields[12])


class Usage:
    """CPU used so far by a process tree; `later - earlier` gives seconds.

    `without` names threads (by prefix of their kernel name) that do not count, such as the JIT compiler's. The scheduler's nanoseconds are
    used when the same threads lived through the whole interval; else the clock ticks of the processes, which also know the threads that ended.
    """

    def __init__(self, pid: int, without: tuple[str, ...] = ()) -> None:
        self.threads: dict[int, int] = {}
        self.ticks = 0
        self.ticks_with_jit = 0
        for process in tree(pid):
            base = Path(f"/proc/{process}")
            ticks = _stat(base / "stat")[1]
            self.ticks += ticks
            self.ticks_with_jit += ticks
            for task in (base / "task").glob("*"):
                try:
                    name, ticks = _stat(task / "stat")
                    ran = int((task / "schedstat").read_text().split()[0])
                except OSError:
                    continue
                if name.startswith(without):
                    self.ticks -= ticks
                else:
                    self.threads[int(task.name)] = ran

    def __sub__(self, earlier: Usage) -> float:
        ticks = (self.ticks - earlier.ticks) / TICK
        if self.threads.keys() == earlier.threads.keys():
            exact = sum(self.threads.values()) / 1e9 - sum(earlier.threads.values()) / 1e9
            if ticks < exact * 1.02 + 0.05:
                return exact  # else there were threads in between: noida-db starts one per connection
        return ticks

    @property
    def seconds_with_jit(self) -> float:
        """Since the processes started, every thread counted."""
        return max(self.ticks_with_jit / TICK, sum(self.threads.values()) / 1e9)


def resident(pid: int) -> int:
    """Resident bytes of the process tree, shared pages counted once per process."""
    return sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) * PAGE for one in tree(pid))


def machine() -> str:
    """One line about the machine: processors, memory, kernel, Python. No names."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = next((line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")), "unknown processor")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    virtual = " (virtual machine)" if "hypervisor" in cpuinfo else ""
    return f"{os.cpu_count()} x {model}{virtual}, {memory:.0f} GiB, Linux {os.uname().release.partition('-')[0]}, Python {sys.version.split()[0]}"
