"""What an answer can do behind its walls, tried systematically: every mount, every system call, every socket family."""

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from needs import need

from course_lib.classroom.grading.sandbox import Sandbox
from course_lib.classroom.grading.system_calls import ABSENT, ALLOWED, ONLY
from course_lib.classroom.grading.walls import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")

DEVICES = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")]
# Of a lesson: memory, an open file and a file on the disk that all its forks could share.
LESSON = """
import ctypes, fcntl, mmap, os, socket, time
import numpy as np
os.makedirs("/shared/build", exist_ok=True)
memory = mmap.mmap(-1, 4096)
on_disk = np.memmap("/shared/build/table", dtype="uint8", mode="w+", shape=4096)
places = [line.split()[4] for line in open("/proc/self/mountinfo")]
places = [place for place in dict.fromkeys(places) if not place.startswith(("/proc", "/scratch"))]
places += ["/dev/shm", "/dev/pts/ptmx", "/dev/ptmx", "/shared/build/table", "/usr/bin/env", "/proc", "/proc/self/maps"]
libc = ctypes.CDLL(None, use_errno=True)
from course_lib.text.vector_cache import through_cache
through_cache(["known"], b"key", 2, lambda texts: np.ones((1, 2)))
"""
CHANGES = {  # of a file that others see, by its name; where a wall is missing, none of them does harm
    "touch": "os.utime(place)",
    "times": "os.utime(place, (now := os.stat(place).st_mtime, now))",
    "mode": "os.chmod(place, os.stat(place).st_mode & 0o7777)",
    "owner": "os.chown(place, os.getuid(), os.getgid())",
    "attribute": "os.setxattr(place, 'user.seen', b'1')",
    "link": "os.link(place, '/scratch/linked')",
    "rename": "os.rename(place, place)",
    "remove": "os.rmdir(place)",
    "write": "assert not place.startswith('/dev/'); os.open(place, os.O_WRONLY)",
    "below": "os.mkdir(place + '/below')",
    "lock": "fcntl.flock(os.open(place, os.O_RDONLY | os.O_NONBLOCK), fcntl.LOCK_SH | fcntl.LOCK_NB)",
    "record": "fcntl.lockf(os.open(place, os.O_RDONLY | os.O_NONBLOCK), fcntl.LOCK_SH | fcntl.LOCK_NB)",
    "lease": "fcntl.fcntl(os.open(place, os.O_RDONLY | os.O_NONBLOCK), fcntl.F_SETLEASE, fcntl.F_RDLCK)",
    "notify": "fcntl.fcntl(os.open(place, os.O_RDONLY | os.O_NONBLOCK), fcntl.F_NOTIFY, fcntl.DN_ACCESS)",
    "hint": "fcntl.fcntl(os.open(place, os.O_RDONLY | os.O_NONBLOCK), 1036, (5).to_bytes(8, 'little'))",
    "watch": "assert libc.inotify_add_watch(libc.inotify_init(), place.encode(), 0xfff) >= 0",
    "flags": "fcntl.ioctl(os.open(place, os.O_RDONLY | os.O_NONBLOCK), 0x40086602, b'\\0' * 8)",
    "open to all": "fcntl.fcntl(0, fcntl.F_SETFL, os.O_NONBLOCK | os.O_APPEND); os.fchmod(0, 0o666)",
    "of the input": "os.utime(0)",
}
# What a fork leaves behind, if it can. Each is tried before a second fork looks.
LEAVES = {
    "memory": "memory[:5] = b'spoke'",
    "table": "on_disk[:5] = 7; on_disk.flush()",
    "file": "open('/shared/build/word', 'w').write('spoke')",
    "scratch": "open('/scratch/word', 'w').write('spoke')",
    "input": "fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) ^ os.O_NONBLOCK ^ os.O_APPEND)",
    "place in the input": "os.lseek(0, 77, 0)",
    "environment": "os.environ['word'] = 'spoke'",
    "mask": "os.umask(0o123)",
    "folder": "os.chdir('/usr')",
    "priority": "os.nice(5)",
    "processor": "os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])",
    "terminal": "libc.posix_openpt(2)",
    "objects": "np.word = 'spoke'; libc.word = 1",
    "abstract": "socket.socket(socket.AF_UNIX).bind('\\0word')",
    "parent": "[os.kill(pid, 10) for pid in (os.getppid(), 0, -1)]",
}
LOOKS = """
def look(place):
    try:
        fresh = place.startswith(("/proc", "/scratch", "/dev/pts"))  # the fork's own: younger each time
        return os.stat(place)[:1 if fresh else 10], os.listdir(place) if os.path.isdir(place) else ""
    except OSError as error:
        return error.errno
inputs = fcntl.fcntl(0, fcntl.F_GETFL), fcntl.fcntl(0, fcntl.F_GETFD), os.lseek(0, 0, 1)
own = os.umask(0), os.getcwd(), os.getpriority(0, 0), sorted(os.sched_getaffinity(0)), os.environ.get("word")
left = memory[:8], bytes(on_disk[:8]), open("/shared/build/table", "rb").read(8), hasattr(np, "word")
try:
    socket.socketpair()[0].connect("\\0word")
except OSError as error:
    left += (error.errno,)
view = repr((inputs, own, left, [(p, look(p)) for p in (*places, "/scratch", "/shared/build", "/dev/pts")]))
"""


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    """Where a lesson has run that shares what can be shared."""
    need("bwrap")
    with Sandbox(Limits(seconds=20, output_mb=5)) as box:
        box.run(LESSON)
        yield box


def tried(box: Sandbox, source: str, value: str = "view") -> str:
    """The text ``value`` that a fork has after ``source``, which must come to its end."""
    attempt = box.attempt([source], value, [], False)
    assert attempt.errors == ("",) and not attempt.trouble, attempt
    return attempt.answers[0]


def state_of_devices() -> list[tuple[str, int, int, int, int]]:
    """Of this machine's: mode, owner and times."""
    found = [(path, Path(path).stat()) for path in DEVICES[:-1]]  # terminals change by themselves
    return [(path, at.st_mode, at.st_uid, at.st_mtime_ns, at.st_ctime_ns) for path, at in found]


@pytest.mark.parametrize("name", CHANGES)
def test_nothing_that_others_see_can_be_changed_locked_or_watched(box, name):
    before = state_of_devices()
    source = f"""
done = ["tried"]
for place in places:
    try:
        {CHANGES[name]}
        done.append(place)
    except (OSError, AssertionError):
        pass
view = " ".join(done)
"""
    assert tried(box, source) == "tried"
    assert state_of_devices() == before


@given(st.lists(st.sampled_from(sorted(LEAVES)), min_size=1, unique=True))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_fork_sees_the_same_whatever_the_fork_before_it_did(box, names):
    before = tried(box, LOOKS)
    assert "'/dev/null', ((8630" in before and "spoke" not in before  # it does see
    trials = "".join(f"\ntry:\n    {LEAVES[name]}\nexcept Exception: pass" for name in names)
    box.attempt([trials], "0", [], False)
    assert tried(box, LOOKS) == before


def test_each_of_what_a_fork_leaves_is_gone(box):
    before = tried(box, LOOKS)
    for source in LEAVES.values():
        box.attempt([source], "0", [], False)
        assert tried(box, LOOKS) == before, source
    assert box.run("print(memory[:5], on_disk[:5])").split() == box.run("print(bytes(5), np.zeros(5, 'u1'))").split()


def test_devices_can_be_used_all_the_same(box):
    source = """
open("/dev/null", "w").write("x"); assert open("/dev/null").read() == ""
assert open("/dev/zero", "rb").read(2) == b"\\0\\0" and len(open("/dev/urandom", "rb").read(3)) == 3
view = "yes"
"""
    assert tried(box, source) == "yes"


# --- system calls ---

NEVER = (
    "fork", "vfork", "memfd_create", "memfd_secret", "shmget", "shmat", "mount", "umount2", "pivot_root", "chroot",
    "unshare", "setns", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_open", "pidfd_getfd",
    "pidfd_send_signal", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "keyctl",
    "add_key", "request_key", "name_to_handle_at", "open_by_handle_at", "execve", "execveat", "msgget", "msgsnd",
    "semget", "mq_open", "syslog", "personality", "modify_ldt", "socket", "connect", "bind", "listen", "accept",
    "accept4", "flock", "inotify_init", "inotify_init1", "inotify_add_watch", "fanotify_init", "fanotify_mark",
    "setxattr", "lsetxattr", "fsetxattr", "mknod", "mknodat", "kill", "tkill", "rt_sigqueueinfo", "sysinfo",
    "mincore", "fadvise64", "readahead", "preadv2", "cachestat", "sync", "syncfs", "quotactl", "swapon", "reboot",
    "sethostname", "setdomainname", "init_module", "finit_module", "delete_module", "kexec_load", "iopl", "ioperm",
    "acct", "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "setpriority", "ioprio_set",
    "sched_setscheduler", "sched_setattr", "seccomp", "landlock_create_ruleset", "vmsplice", "tee", "splice",
    "lookup_dcookie", "nfsservctl", "uselib", "ustat", "sysfs", "set_mempolicy", "mbind", "migrate_pages",
    "move_pages", "remap_file_pages", "setuid", "setgid", "setreuid", "setresuid", "setgroups", "capset",
    "timer_create", "timerfd_create", "signalfd4", "chown", "lchown", "fchownat",
)  # fmt: skip


def system_calls() -> dict[str, int]:
    """Number of every system call that libseccomp knows here."""
    seccomp, libc = ctypes.CDLL("libseccomp.so.2"), ctypes.CDLL(None)
    seccomp.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    found = {}
    for number in range(600):
        if name := seccomp.seccomp_syscall_resolve_num_arch(seccomp.seccomp_arch_native(), number):
            found[ctypes.string_at(name).decode()] = number
            libc.free(ctypes.c_void_p(name))
    return found


def test_every_system_call_that_is_not_named_is_refused(box):
    known = system_calls()
    refused = {name: number for name, number in known.items() if name not in {*ALLOWED, *ONLY, "clone", *ABSENT}}
    assert len(refused) > 150 and not set(NEVER) & {*ALLOWED, *ONLY}
    source = f"""
view = "tried"
for name, number in {refused!r}.items():
    ctypes.set_errno(0)
    if libc.syscall(number, 0, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 1:
        view += " " + name
"""
    assert tried(box, source) == "tried"


def refused_values(call: str, values: range, before: str = "", after: str = "0, 0, 0") -> str:
    """The source that tries ``call`` with each of ``values``; its view has those that were not refused."""
    number = system_calls()[call]
    return f"""
view = "tried"
for value in range({values.start}, {values.stop}):
    ctypes.set_errno(0)
    if libc.syscall({number}, {before} ctypes.c_long(value), {after}) != -1 or ctypes.get_errno() != 1:
        view += f" {{value}}"
"""


def test_there_are_no_sockets_of_any_family_but_pairs_of_its_own(box):
    for kind in (1, 2, 3, 5):
        assert tried(box, refused_values("socket", range(0, 64), after=f"{kind}, 0, 0")) == "tried"
        pairs = refused_values("socketpair", range(0, 64), after=f"{kind}, 0, (ctypes.c_int * 2)()")
        assert tried(box, pairs) in ("tried 1", "tried")
    assert tried(box, "a, b = socket.socketpair(); view = str(a.send(b'abc'))") == "3"


@pytest.mark.parametrize(
    ("call", "before", "most"), [("fcntl", "9,", 1100), ("prctl", "", 100), ("ioctl", "9,", 0x6000)]
)
def test_of_calls_with_many_uses_only_the_harmless_ones_are_allowed(box, call, before, most):
    allowed = {int(word) for word in tried(box, refused_values(call, range(0, most), before)).split()[1:]}
    assert allowed == {value for value in ONLY[call][1] if value < most}


def test_a_process_can_be_neither_forked_nor_cloned(box):
    numbers = system_calls()
    for flags in (0, 17, 0x100, 0x10000000, 0x20000000 | 17, 0x4000 | 17):
        assert tried(box, f"view = str(libc.syscall({numbers['clone']}, {flags}, 0, 0, 0, 0))") == "-1"
    assert tried(box, f"libc.syscall({numbers['clone3']}, 0, 0); view = str(ctypes.get_errno())") == "38"


# mov eax, 20 (getpid of i386); int 0x80; ret, and the same of x32
OTHER_TABLES = [b"\xb8\x14\x00\x00\x00\xcd\x80\xc3", b"\xb8\x27\x00\x00\x40\x0f\x05\xc3"]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="code of this processor")
@pytest.mark.parametrize("code", OTHER_TABLES)
def test_there_is_no_way_around_the_filter_through_the_calls_of_another_processor(box, code):
    source = f"""
page = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)
page.write({code!r})
view = str(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))())
"""
    attempt = box.attempt([source], "view", [], False)
    assert attempt.trouble == "died" or attempt.answers[0] in ("-1", "-38"), attempt
    assert tried(box, source.replace(repr(code), repr(b"\xb8\x05\x00\x00\x00\xc3"))) == "5"  # code of its own does run


# --- what an ordinary answer does ---

ORDINARY = {
    "await": "import asyncio\nawait asyncio.sleep(0.01)",
    "threads": "from concurrent.futures import ThreadPoolExecutor\nlist(ThreadPoolExecutor(4).map(abs, range(100)))",
    "torch": "import torch\nx = torch.ones(5, 3, requires_grad=True)\n(torch.nn.Linear(3, 3)(x) ** 2).sum().backward()",
    "torch file": "import torch\ntorch.save(torch.ones(3), 'x.pt')\ntorch.load('x.pt', mmap=True)",
    "numpy file": "np.save('z.npy', np.arange(5))\nnp.load('z.npy', mmap_mode='r+')[0] = 3",
    "pandas": "import pandas as pd\npd.DataFrame({'a': [1]}).to_csv('a.csv')\npd.read_csv('a.csv').groupby('a').sum()",
    "means": "from sklearn.cluster import KMeans\nKMeans(2, n_init=1).fit(np.random.rand(50, 2))",
    "regression": "from sklearn.linear_model import LogisticRegression as L\nL().fit([[1], [2]], [0, 1])",
    "sparse": "from scipy import sparse, stats\nsparse.linalg.svds(sparse.random(30, 30, 0.5), 3)",
    "figure": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig('a.png')",
    "folders": "import shutil, tempfile\nopen('a', 'w').close()\nshutil.copy2('a', tempfile.mkdtemp())",
    "module": "open('own.py', 'w').write('Q = 1')\nimport own",
    "bars": "from tqdm.auto import tqdm\nlist(tqdm(range(3)))",
    "database": "import sqlite3\nsqlite3.connect(':memory:').execute('create table a (b)')",
    "vectors": "assert through_cache(['known'], b'key', 2, None).tolist() == [[1, 1]]",  # without computing them anew
    "time": "import datetime, time\ntime.strftime('%c')\ndatetime.datetime.now().astimezone()",
}  # fmt: skip


@pytest.mark.parametrize("name", ORDINARY)
def test_what_an_ordinary_answer_does_goes_through_the_walls(box, name):
    assert tried(box, ORDINARY[name] + "\nview = 'done'") == "done"


def test_walls_are_felt_in_words(box):
    for source in ("os.fork()", "socket.socket()"):
        assert box.attempt([source], "0", [], False).errors[0].startswith("PermissionError"), source
