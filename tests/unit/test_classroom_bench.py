import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from course_lib.classroom import bench
from course_lib.classroom.cli import cli
from course_lib.errors import CourseError
from course_lib.paths import ROOT

ROW = {"system": "we", "ours": True, "value": 2.0, "unit": "texts/s", "higher_is_better": True}
PEER = ROW | {"system": "they", "ours": False, "value": 1.6}
PUBLISHED = PEER | {"system": "a paper", "value": 4.0, "published": True}
FILE = """
import json, pathlib, sys
BENCHES = {{"{a}": None, "{b}": None}}
{before}
out, names = pathlib.Path(sys.argv[1]), sys.argv[2:]
print("noise")
out.write_text(json.dumps([{{"bench": name}} | row for name in names for row in {rows!r}]))
"""


def write(folder: Path, stem: str, a: str, b: str, before: str = "", rows=(ROW, PEER, PUBLISHED)) -> Path:
    path = folder / f"{stem}.py"
    path.write_text(FILE.format(a=a, b=b, before=before, rows=list(rows)))
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "benches"
    folder.mkdir()
    write(folder, "fast", "alpha", "beta@20")
    write(folder, "slow", "gamma", "delta", before="raise ValueError('no such weights')")
    (folder / "helper.py").write_text("raise SystemExit('a helper, no bench')")
    return folder


def run(folder: Path, out: Path, *wanted: str) -> tuple[list, list[str], list[str]]:
    said: list[str] = []
    chosen = bench.find_benches(folder, wanted)
    return *bench.run_benches(chosen, out, Path(sys.executable), said.append), said


def test_benches_are_found_without_running_them_by_file_and_by_name(folder):
    stems = {path.stem: names for path, names in bench.find_benches(folder).items()}
    assert stems == {"fast": ["alpha", "beta@20"], "slow": ["gamma", "delta"]}
    chosen = bench.find_benches(folder, ["fast", "delta"])
    assert {path.stem: names for path, names in chosen.items()} == {"fast": ["alpha", "beta@20"], "slow": ["delta"]}


def test_an_unknown_name_lists_the_known_ones(folder, tmp_path):
    with pytest.raises(CourseError, match=r"no bench 'omega'; known are fast: alpha, beta@20; slow: gamma, delta\."):
        bench.find_benches(folder, ["alpha", "omega"])
    with pytest.raises(CourseError, match="no benches in"):
        bench.find_benches(tmp_path)


def test_results_have_the_promised_keys_and_a_published_number_says_so(folder, tmp_path):
    run(folder, tmp_path / "out", "fast")
    rows = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [row["bench"] for row in rows] == ["alpha"] * 3 + ["beta@20"] * 3
    assert all(row.keys() - {"published"} == bench.KEYS for row in rows)
    assert [row["system"] for row in rows if row.get("published")] == ["a paper"] * 2


def test_a_failing_file_is_named_in_one_line_and_the_others_still_run(folder, tmp_path):
    write(folder, "zulu", "eta", "theta")
    rows, failed, said = run(folder, tmp_path)
    assert failed == ["slow"] and {row["bench"] for row in rows} == {"alpha", "beta@20", "eta", "theta"}
    (line,) = [line for line in said if "FAILED" in line]
    assert line.startswith("slow: FAILED, ValueError: no such weights (all it said is in") and "\n" not in line
    assert "Traceback" in (tmp_path / "slow.log").read_text()


def test_rows_with_other_keys_are_refused(folder, tmp_path):
    write(folder, "slow", "gamma", "delta", rows=[{"system": "we", "value": 1.0}])
    rows, failed, said = run(folder, tmp_path, "slow")
    assert (rows, failed) == ([], ["slow"]) and "other keys" in said[-1]


def test_a_later_run_of_some_benches_keeps_the_others_and_drops_what_has_failed(folder, tmp_path):
    write(folder, "slow", "gamma", "delta")
    run(folder, tmp_path)
    write(folder, "slow", "gamma", "delta", before="import os; os.kill(os.getpid(), 9)")
    _, failed, said = run(folder, tmp_path, "gamma")
    assert failed == ["slow"] and "signal 9" in said[-1]
    rows = json.loads((tmp_path / "results.json").read_text())
    assert {row["bench"] for row in rows} == {"alpha", "beta@20", "delta"}


def test_the_table_says_how_many_times_better_ours_is_in_both_directions():
    seconds = [row | {"bench": "b", "unit": "s", "higher_is_better": False} for row in (ROW, PEER)]
    lines = list(bench.table([row | {"bench": "a"} for row in (ROW, PEER, PUBLISHED)] + seconds))
    assert lines[0] == "a, texts/s, higher is better" and lines[4] == "b, s, lower is better"
    assert lines[1].split() == ["*", "we", "2"]
    assert lines[2].split() == ["they", "1.6", "ours", "1.25", "times", "as", "good"]
    assert lines[3].endswith("ours 0.50 times as good, published")
    assert lines[6].endswith("ours 0.80 times as good")


@pytest.fixture
def peers(tmp_path) -> Path:
    """A file of peers that names one: a wheel of one line."""
    wheel = tmp_path / "fake_peer-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("fake_peer.py", "speed = 'of light'\n")
        archive.writestr("fake_peer-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: fake-peer\nVersion: 1.0\n")
        archive.writestr("fake_peer-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("fake_peer-1.0.dist-info/RECORD", "")
    (tmp_path / "peers.txt").write_text(f"{wheel}\n")
    return tmp_path / "peers.txt"


def test_the_environment_has_the_peers_and_the_course_and_is_made_once(peers, tmp_path):
    said: list[str] = []
    python = bench.environment(tmp_path / "venv", peers, said.append)
    ask = "import fake_peer, click, course_lib; print(fake_peer.speed, course_lib.__file__)"
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == ["of", "light", str(ROOT / "course_lib" / "__init__.py")]
    assert bench.environment(tmp_path / "venv", peers, said.append) == python and len(said) == 1
    alone = subprocess.run([sys.executable, "-c", "import fake_peer"], capture_output=True, check=False)
    assert alone.returncode  # the course's own environment knows nothing of it
    peers.write_text(peers.read_text() + "# another peer\n")
    bench.environment(tmp_path / "venv", peers, said.append)
    assert len(said) == 2


def test_without_network_the_environment_ends_in_one_sentence_and_is_not_taken_for_whole(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    (tmp_path / "peers.txt").write_text("sentence-transformers==5.1.2\n")
    for _ in range(2):
        with pytest.raises(
            CourseError, match=r"could not be installed \(ERROR: .*\): connect to the network"
        ) as raised:
            bench.environment(tmp_path / "venv", tmp_path / "peers.txt", lambda line: None)
        assert "\n" not in str(raised.value)


def test_the_command_leaves_results_prints_the_table_and_says_what_failed(folder, peers, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr("course_lib.data.fetch.sources", dict)  # nothing to fetch
    monkeypatch.setattr(bench, "environment", lambda *_: Path(sys.executable))
    done = CliRunner().invoke(cli, ["bench", "--benches", str(folder), "fast"], standalone_mode=False)
    assert not done.exception and "alpha, texts/s, higher is better" in done.output
    assert len(json.loads((tmp_path / "build/bench/results.json").read_text())) == 6
    done = CliRunner().invoke(cli, ["bench", "--benches", str(folder)], standalone_mode=False)
    assert isinstance(done.exception, CourseError) and "1 of 2 files of benches failed" in str(done.exception)


def test_the_repository_has_the_benches_that_others_rely_on():
    names = {name for names in bench.find_benches(bench.BENCHES).values() for name in names}
    few_shot = {f"tallrec_auc_{n}" for n in (16, 64, 256)}
    assert names >= few_shot | {
        "encode_films_per_second", "encode_reviews_per_second", "frozen_epoch_seconds", "cold_recall@20"
    }  # fmt: skip
    assert (bench.BENCHES / "peers.txt").exists()
