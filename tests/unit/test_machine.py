"""A container's limits count, not those of the machine it runs on: control groups of both versions, as files."""

import os
import subprocess
import sys
from types import SimpleNamespace

import joblib
import pytest

from course_lib import machine

GB = 10**9
UNLIMITED = str(2**63 - 4096)  # what version 1 shows where nobody has set a limit


@pytest.fixture(autouse=True)
def of_64_gb(monkeypatch):
    memory = SimpleNamespace(available=50 * GB, total=64 * GB)
    monkeypatch.setattr(machine.psutil, "virtual_memory", lambda: memory)


def groups(tmp_path, own: str, files: dict[str, str]):
    """Memory as seen in the control groups ``own`` with these ``files``."""
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        path = tmp_path / "control" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return machine.memory_mb(tmp_path / "control", tmp_path / "own")


V2 = {"memory.max": f"{2 * GB}\n", "memory.current": f"{GB}\n", "memory.stat": f"anon 1\ninactive_file {GB // 2}\n"}
V1 = {
    "memory/memory.limit_in_bytes": f"{2 * GB}\n",
    "memory/memory.usage_in_bytes": f"{GB}\n",
    "memory/memory.stat": f"total_inactive_file {GB // 2}\n",
}


def test_a_container_of_2_gb_of_which_half_a_gb_is_in_use(tmp_path):
    assert groups(tmp_path, "0::/\n", V2) == (1_500, 2_000)


def test_the_same_in_version_1_whose_group_is_called_as_on_the_host(tmp_path):
    own = "5:cpu,cpuacct:/docker/a1\n4:memory:/docker/a1\n1:name=systemd:/docker/a1\n0::/system.slice\n"
    assert groups(tmp_path, own, V1) == (1_500, 2_000)


def test_the_smallest_limit_of_the_groups_above_holds(tmp_path):
    files = {"memory.max": "max\n", "batch/memory.max": f"{3 * GB}\n", "batch/memory.current": f"{2 * GB}\n"}
    files |= {"batch/job/memory.max": f"{9 * GB}\n", "batch/job/memory.current": "5000000\n"}
    assert groups(tmp_path, "0::/batch/job\n", files) == (1_000, 3_000)


@pytest.mark.parametrize("files", [{}, {"memory.max": "max\n"}, {"memory/memory.limit_in_bytes": UNLIMITED}])
def test_no_limit_leaves_the_machines_memory(tmp_path, files):
    assert groups(tmp_path, "4:memory:/\n0::/\n", files) == (50_000, 64_000)


def test_more_in_use_than_allowed_is_nothing_free(tmp_path):
    assert groups(tmp_path, "0::/\n", V2 | {"memory.current": str(3 * GB)}) == (0, 2_000)


def test_a_system_without_control_groups_has_its_memory(tmp_path):
    assert machine.memory_mb(tmp_path / "none", tmp_path / "none") == (50_000, 64_000)


def test_cores_follow_a_containers_quota(monkeypatch):
    """The quota is a file at a place of its own; joblib reads it."""
    assert 1 <= machine.cores() <= (os.cpu_count() or 1)
    monkeypatch.setattr(joblib.externals.loky.backend.context, "_cpu_count_cgroup", lambda _: 0.5)
    assert machine.cores() == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux binds a process to cores")
def test_cores_are_those_that_the_process_is_bound_to():
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); "
    code += "from course_lib.machine import cores; print(cores())"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "1\n"
