"""The walls around one answer: a fork gets namespaces, a scratch folder, limits and a filter for system calls.

The warm process already lives in a sandbox without network and with a read-only system (`sandbox`). Its forks must not
reach one another or the warm process either, and each of them must end: that is what stands here. Linux only.
"""

import ctypes
import ctypes.util
import errno
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

SCRATCH = Path("/scratch")  # the one folder that an answer may write to; it is gone with the answer
SHARED = Path("/shared")  # what the lesson has left on disk: writable for the lesson, not for an answer

NEW_NAMESPACES = 0x10000000 | 0x20000000 | 0x00020000 | 0x40000000 | 0x08000000  # user, pid, mount, network, ipc
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
CLONE_THREAD = 0x00010000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4
ALLOW, REFUSE, MASKED_EQUAL = 0x7FFF0000, 0x00050000, 7  # SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(0), SCMP_CMP_MASKED_EQ

# What an answer never needs. Processes: none but this one, so nothing outlives it or multiplies. Memory that no limit
# counts (memfd, System V, queues). Whatever could take a wall down again.
REFUSED = (
    "fork", "vfork", "memfd_create", "memfd_secret", "shmget", "shmat", "mount", "umount2", "pivot_root",
    "chroot", "unshare", "setns", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "mount_setattr",
    "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_open", "pidfd_getfd", "bpf",
    "perf_event_open", "userfaultfd", "io_uring_setup", "keyctl", "add_key", "request_key",
    "name_to_handle_at", "open_by_handle_at", "execve", "execveat", "msgget",
    "msgsnd", "semget", "mq_open", "syslog",
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What one answer may take: seconds, and megabytes of memory beyond the lesson's, of scratch, and of output.

    ``answers``: a student's whole lesson may take as long as this many answers do that use up their time.
    """

    seconds: float = 10
    memory_mb: int = 1000
    scratch_mb: int = 50
    output_mb: float = 1
    answers: float = 2

    @property
    def budget_s(self) -> float:
        """Seconds for a student's whole lesson, however many exercises it has; see `budget`."""
        return self.answers * self.seconds


STANDARD = Limits()


class ArgumentTest(ctypes.Structure):
    """libseccomp's ``struct scmp_arg_cmp``."""

    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


libc = ctypes.CDLL(None, use_errno=True)
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
    _mount("none", str(SHARED), "", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)
    _mount("tmpfs", str(SCRATCH), "tmpfs", MS_NOSUID | MS_NODEV, f"size={limits.scratch_mb}m,nr_inodes=1000")
    _limit(limits)  # reads /proc
    _mount("tmpfs", "/proc", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV)
    os.chdir(SCRATCH)
    _checked(libc.capset(CAPABILITIES_OF_SELF, NO_CAPABILITIES))  # those of its own namespaces; it has no use for them
    _checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))  # a change of capabilities clears it
    _filter_system_calls()


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


def _filter_system_calls() -> None:
    seccomp = ctypes.CDLL(ctypes.util.find_library("seccomp") or "libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(ALLOW)))
    refuse = ctypes.c_uint32(REFUSE | errno.EPERM)
    for name in REFUSED:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # a newer kernel's, or another processor's
            _negative(seccomp.seccomp_rule_add_array(context, refuse, number, 0, None))
    process = ArgumentTest(0, MASKED_EQUAL, CLONE_THREAD, 0)  # clone for anything but a thread
    _negative(seccomp.seccomp_rule_add_array(context, refuse, _number(seccomp, "clone"), 1, ctypes.byref(process)))
    end = ArgumentTest(0, MASKED_EQUAL, 0xFFFFFFFF, PR_SET_PDEATHSIG)  # it ends with the process that waits for it
    _negative(seccomp.seccomp_rule_add_array(context, refuse, _number(seccomp, "prctl"), 1, ctypes.byref(end)))
    absent = ctypes.c_uint32(REFUSE | errno.ENOSYS)  # its flags cannot be seen by a filter; libc then takes clone
    _negative(seccomp.seccomp_rule_add_array(context, absent, _number(seccomp, "clone3"), 0, None))
    _negative(seccomp.seccomp_load(context))


def _number(seccomp: ctypes.CDLL, name: str) -> int:
    return seccomp.seccomp_syscall_resolve_name(name.encode())


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    _checked(libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode()))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _negative(result: int) -> None:
    if result < 0:
        raise OSError(-result, f"seccomp: {os.strerror(-result)}")


def hide_memory() -> None:
    """Nobody may read this process's memory through /proc, whoever runs beside it."""
    if sys.platform == "linux":
        _checked(libc.prctl(PR_SET_DUMPABLE, 0))
