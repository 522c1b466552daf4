"""What this process may use of the machine: less than all where a container, or a batch system, sets a limit."""

from pathlib import Path

import psutil


def cores() -> int:
    """Cores that this process may use: the least of the machine's, those it is bound to and its container's quota."""
    from joblib import cpu_count  # here: it is slow to import, and tries to make semaphores

    return int(cpu_count())


def memory_mb(control: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> tuple[float, float]:
    """Memory free for this process and memory in all, in MB: the machine's, or its container's where that is less.

    control, own: where Linux shows control groups (both versions) and the names of this process's own.
    """
    machine = psutil.virtual_memory()
    free, total = machine.available, machine.total
    for line in own.read_text(encoding="utf-8").splitlines() if own.exists() else []:
        _, controllers, name = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top, limit, used, cache = (
            (control / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            if controllers
            else (control, "memory.max", "memory.current", "inactive_file")
        )
        group = top / name.lstrip("/")
        for folder in (group, *group.parents):  # a limit holds for all groups below it
            most = _bytes(folder / limit)
            if most is not None and most < machine.total:
                stat = dict(entry.split() for entry in _lines(folder / "memory.stat"))
                held = (_bytes(folder / used) or 0) - int(stat.get(cache, 0))  # files in memory give way
                free, total = min(free, max(most - held, 0)), min(total, most)
            if folder == top:
                break
    return free / 1e6, total / 1e6


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _bytes(path: Path) -> int | None:
    """The number in a file of a control group; None for no file and for "max", no limit."""
    text = "".join(_lines(path))
    return int(text) if text.isdecimal() else None
