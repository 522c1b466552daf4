"""The walls around one answer: a fork gets namespaces, a scratch folder, limits and a filter for system calls.

The warm process already lives in a sandbox without network and with a read-only system (`sandbox`). Its forks must not
reach one another or the warm process either, and each of them must end: that is what stands here. Linux only.
"""

import ctypes
import mmap
import os
import re
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from course_lib.classroom.grading.system_calls import filter_system_calls

SCRATCH = Path("/scratch")  # the one folder that an answer may write to; it is gone with the answer
SHARED = Path("/shared")  # what the lesson has left on disk: writable for the lesson, not for an answer

NEW_NAMESPACES = 0x10000000 | 0x20000000 | 0x00020000 | 0x40000000 | 0x08000000  # user, pid, mount, network, ipc
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 1 << 5, 1 << 12, 1 << 13, 1 << 14, 1 << 18
NOTHING_RUNS = MS_NOSUID | MS_NODEV | MS_NOEXEC
PRIVATE_HERE = 0x10 | mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS  # MAP_FIXED
PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4
SHARED_MEMORY = re.compile(r"(\w+)-(\w+) .(.).s \S+ \S+ \S+ *(.*)")  # in /proc/self/maps: from, to, "w", its file


@dataclass(frozen=True)
class Limits:
    """What one answer may take: seconds, and megabytes of memory beyond the lesson's, of scratch, and of output.

    ``answers``: a student's whole lesson may take as long as this many answers do that use up their time.
    """

    seconds: float = 10
    memory_mb: int = 1000
    scratch_mb: int = 50
    output_mb: float = 1
    answers: float = 1.2

    @property
    def budget_s(self) -> float:
        """Seconds for a student's whole lesson, however many exercises it has; see `budget`."""
        return self.answers * self.seconds


STANDARD = Limits()

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
CAPABILITIES_OF_SELF = (ctypes.c_uint32 * 2)(0x20080522, 0)  # the kernel's version 3 of the structure; this process
NO_CAPABILITIES = (ctypes.c_uint32 * 6)()


def raise_walls(limits: Limits) -> None:
    """Put walls around the process that calls this, a fork; it goes on as the first process of its own namespaces.

    Raises OSError where the system refuses one of them.
    """
    user, group = os.getuid(), os.getgid()
    _checked(libc.prctl(PR_SET_DUMPABLE, 1))  # else the next files are not its own; see hide_memory
    _checked(libc.unshare(NEW_NAMESPACES))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    inner = os.fork()  # a new pid namespace begins with a child
    if inner:  # this one only waits, and takes the child with it when it is killed
        _, status = os.waitpid(inner, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    _checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
    _mount("none", "/", "", MS_REC | MS_PRIVATE)
    _own_memory()
    _limit(limits)
    _only_scratch_is_writable(limits)
    os.chdir(SCRATCH)
    _checked(libc.capset(CAPABILITIES_OF_SELF, NO_CAPABILITIES))  # those of its own namespaces; it has no use for them
    _checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))  # a change of capabilities clears it
    filter_system_calls()


def _own_memory() -> None:
    """Copies in the place of memory that the lesson and its forks share: an answer could leave something there."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        found = SHARED_MEMORY.match(line)
        if not found or (found[3] != "w" and _read_only(found[4])):
            continue
        start, size = int(found[1], 16), int(found[2], 16) - int(found[1], 16)
        kept = ctypes.string_at(start, size)
        at = libc.mmap(start, size, mmap.PROT_READ | mmap.PROT_WRITE, PRIVATE_HERE, -1, 0)
        _checked(0 if at == start else -1)
        ctypes.memmove(start, kept, size)


def _read_only(place: str) -> bool:
    try:
        return bool(os.statvfs(place).f_flag & MS_RDONLY)
    except OSError:  # no file, or none that has a name
        return False


def _only_scratch_is_writable(limits: Limits) -> None:
    """Everything else is mounted read-only, devices too: times, modes and owners of what others see do not change."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), line.split()[4])
        kept = os.statvfs(place).f_flag & (MS_RDONLY | NOTHING_RUNS)
        if not kept & MS_RDONLY:
            _mount("none", place, "", MS_REMOUNT | MS_BIND | MS_RDONLY | kept)
    _own_proc()
    _mount("tmpfs", "/dev/pts", "tmpfs", MS_RDONLY | NOTHING_RUNS)
    _mount("tmpfs", str(SCRATCH), "tmpfs", MS_NOSUID | MS_NODEV, f"size={limits.scratch_mb}m,nr_inodes=1000")
    nothing = os.open(os.devnull, os.O_RDONLY)  # the lesson's has flags that all who inherit it share, and its mount
    os.dup2(nothing, 0)
    os.close(nothing)


def _own_proc() -> None:
    """Of all that stands in /proc only what libraries look for: where this process has loaded them to."""
    _mount("tmpfs", str(SCRATCH), "tmpfs", NOTHING_RUNS)
    maps = SCRATCH / "self" / "maps"
    maps.parent.mkdir()
    maps.touch()
    _mount(os.path.realpath("/proc/self/maps"), str(maps), "", MS_BIND)
    _mount(str(SCRATCH), "/proc", "", MS_MOVE)
    for place in ("/proc/self/maps", "/proc"):
        _mount("none", place, "", MS_REMOUNT | MS_BIND | MS_RDONLY | NOTHING_RUNS)


def _limit(limits: Limits) -> None:
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for what, most in (
        (resource.RLIMIT_AS, in_use + limits.memory_mb * 1_000_000),
        (resource.RLIMIT_FSIZE, limits.scratch_mb * 1_000_000),
        (resource.RLIMIT_CPU, int(limits.seconds) + 2),  # the clock on the wall is watched from outside
        (resource.RLIMIT_NOFILE, 128),
        (resource.RLIMIT_NPROC, 200),  # threads; of root, who should not grade, the system counts none
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    _checked(libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode()))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def hide_memory() -> None:
    """Nobody may read this process's memory through /proc, whoever runs beside it."""
    if sys.platform == "linux":
        _checked(libc.prctl(PR_SET_DUMPABLE, 0))
