"""The filter for system calls around one answer: what Python, NumPy, pandas and torch take, and nothing else.

An answer computes: it reads files, writes to its scratch folder, takes memory and starts threads. It needs no process,
no network, no device, and nothing that another process could notice: locks, leases and hints on files that all share,
watches on files, what the machine holds in its cache or counts for everybody. Whatever is not named here is refused.
"""

import ctypes
import errno
import os

ALLOW, REFUSE = 0x7FFF0000, 0x00050000  # SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(0)
EQUAL, MASKED_EQUAL = 4, 7  # SCMP_CMP_EQ, SCMP_CMP_MASKED_EQ
CLONE_THREAD = 0x00010000

ALLOWED = (
    # files: who may read and write which is the mounts' business
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek", "_llseek", "open",
    "openat", "openat2", "creat", "close", "close_range", "stat", "fstat", "lstat", "newfstatat", "fstatat64", "statx",
    "statfs", "fstatfs", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents", "getdents64",
    "getcwd", "chdir", "fchdir", "dup", "dup2", "dup3", "pipe", "pipe2", "mkdir", "mkdirat", "rmdir", "unlink",
    "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "truncate", "ftruncate",
    "fallocate", "chmod", "fchmod", "fchmodat", "fchmodat2", "utime", "utimes", "utimensat", "futimesat", "umask",
    "fsync", "fdatasync", "sendfile", "copy_file_range", "getxattr", "lgetxattr", "fgetxattr", "listxattr",
    "llistxattr", "flistxattr",
    # memory
    "mmap", "mmap2", "munmap", "mprotect", "mremap", "madvise", "brk", "msync", "membarrier",
    # threads of its own, their signals and their clocks
    "futex", "set_robust_list", "get_robust_list", "rseq", "set_tid_address", "arch_prctl", "getcpu", "exit",
    "exit_group", "wait4", "waitid", "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam",
    "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min", "getpriority", "rt_sigaction",
    "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack", "tgkill",
    "pause", "alarm", "setitimer", "getitimer", "restart_syscall", "clock_gettime", "clock_getres", "clock_nanosleep",
    "nanosleep", "gettimeofday", "time", "times", "getrusage", "getrandom",
    # who it is and what it may take
    "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getgroups", "getresuid", "getresgid",
    "getpgrp", "getpgid", "getsid", "uname", "getrlimit", "setrlimit", "prlimit64",
    # a cell may await something: the loop waits for pipes and pairs of its own
    "poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
    "epoll_pwait2", "eventfd2", "sendto", "recvfrom", "sendmsg", "recvmsg", "shutdown", "getsockopt", "setsockopt",
    "getsockname", "getpeername",
)  # fmt: skip

# Allowed with these values only of one argument, which is given by its place.
ONLY = {
    "socketpair": (0, (1,)),  # AF_UNIX: both ends are the answer's own
    "fcntl": (1, (0, 1, 2, 3, 4, 1030)),  # copies of a descriptor and its flags; no locks, leases, hints and seals
    "fcntl64": (1, (0, 1, 2, 3, 4, 1030)),
    "ioctl": (1, (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)),  # is this a terminal, how much is to be read, flags
    "prctl": (0, (15, 16, 0x53564D41)),  # names of threads and of memory
}
ABSENT = ("clone3",)  # its flags cannot be seen by a filter; the C library takes clone instead where there is none


class ArgumentTest(ctypes.Structure):
    """libseccomp's ``struct scmp_arg_cmp``."""

    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def filter_system_calls() -> None:
    """Refuse this process and its threads, from now on, what is not allowed above. Raises OSError where that fails."""
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(REFUSE | errno.EPERM)))

    def rule(action: int, name: str, *tests: ArgumentTest) -> None:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # else a newer kernel's, or another processor's
            array = (ArgumentTest * len(tests))(*tests)
            _checked(seccomp.seccomp_rule_add_array(context, ctypes.c_uint32(action), number, len(tests), array))

    for name in ALLOWED:
        rule(ALLOW, name)
    for name, (place, values) in ONLY.items():
        for value in values:
            rule(ALLOW, name, ArgumentTest(place, EQUAL, value, 0))
    rule(ALLOW, "clone", ArgumentTest(0, MASKED_EQUAL, CLONE_THREAD, CLONE_THREAD))
    for name in ABSENT:
        rule(REFUSE | errno.ENOSYS, name)
    _checked(seccomp.seccomp_load(context))
    seccomp.seccomp_release(context)


def _checked(result: int) -> None:
    if result < 0:
        raise OSError(-result, f"seccomp: {os.strerror(-result)}")
