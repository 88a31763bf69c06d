"""The plan, and real runs of Snakemake with networks of a few weights."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, rmtree
from threading import Thread
from types import ModuleType, SimpleNamespace

import psutil
import pytest

from gahr_lib import cli
from gahr_lib.errors import ConfigError
from gahr_lib.jobs import make_run
from gahr_lib.zoo import __main__ as job
from gahr_lib.zoo import workflow
from gahr_lib.zoo.networks import FOLDER
from gahr_lib.zoo.workflow import Plan, Zoo, carry_out, make_plan

pytestmark = pytest.mark.usefixtures("untouched_random_state")

# A zoo of its own, which the jobs import: two networks, and results that are lists of the weights
# that they were made of. Every step of training leaves a line and a checkpoint.
SOURCE = """
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from gahr_lib.jobs import job, make_run
from gahr_lib.weights import read_card

HERE = Path(__file__).parent
SMALL = dict(data="c_alpha", size=8, n_train=4, width=2, depth=1, batch_size=2, warmup=1)
SEED, STEPS, PAUSE = 0, 3, 0
RECIPES = {
    "a": make_run(alpha=1.0, steps=STEPS, seed=SEED, snapshots=(1,), **SMALL),
    "b": make_run(alpha=2.0, steps=3, **SMALL),
}
RESULTS = {
    "of-a": SimpleNamespace(networks=("a-step1",)),
    "of-b": SimpleNamespace(networks=("b",)),
}


def note(file, what):
    with (HERE / file).open("a") as opened:
        print(what, file=opened)


def read(name):
    cards = [HERE / "zoo" / f"{network}.json" for network in RESULTS[name].networks]
    return [read_card(card)["weights_sha256"] for card in cards]


def is_current_result(name):
    path = HERE / f"{name}.result"
    return path.exists() and json.loads(path.read_text()) == read(name)


def build_result(name):
    note("computed", name)
    (HERE / f"{name}.result").write_text(json.dumps(read(name)))


def train(*arguments, **settings):
    for state in all_steps(*arguments, **settings):
        note("steps", state.step)
        time.sleep(PAUSE)
        yield state


if "pytest" not in sys.modules:
    job.CHECKPOINT_SECONDS = -1
    all_steps, job.train = job.train, train
"""
ENDS = ("json", "safetensors")


class TinyZoo:
    """The zoo in a folder, and the command that looks after it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.source = folder, folder / "tiny_zoo.py"
        self.places = ("--module", "tiny_zoo", "--runs", str(folder / "runs"))
        self.places += ("--out", str(folder / "zoo"))

    def write(self) -> None:
        self.source.write_text(SOURCE)

    def edit(self, old: str, new: str) -> None:
        assert old in self.source.read_text()
        self.source.write_text(self.source.read_text().replace(old, new))

    def call(self, *arguments: str) -> int:
        """Run ``gahr zoo`` here; its jobs are processes of their own."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(self.folder))
            patch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # an edit within a second would be missed
            patch.setattr(sys, "dont_write_bytecode", True)
            patch.syspath_prepend(self.folder)
            with pytest.raises(SystemExit) as left:
                cli.main(["zoo", *arguments, *self.places])
        sys.modules.pop("tiny_zoo", None)
        assert isinstance(left.value.code, int)
        return left.value.code

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start ``gahr zoo`` as a process."""
        return subprocess.Popen(
            [sys.executable, "-m", "gahr_lib.cli", "zoo", *arguments, *self.places],
            env=os.environ | {"PYTHONPATH": str(self.folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def notes(self, file: str) -> list[str]:
        """What the jobs have noted: the steps of training, or the results that they computed."""
        path = self.folder / file
        return path.read_text().split() if path.exists() else []

    def contents(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / "zoo").iterdir()}


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("snakemake")
    zoo = TinyZoo(tmp_path_factory.mktemp("made"))
    zoo.write()
    assert zoo.call("build", "--cores", "2") == 0
    return zoo.folder


@pytest.fixture
def made(made_once: Path, tmp_path: Path) -> TinyZoo:
    copytree(made_once, tmp_path, dirs_exist_ok=True)
    return TinyZoo(tmp_path)


@pytest.mark.slow
def test_everything_is_made_once(made: TinyZoo, capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(made.notes("steps")) == sorted("123123")
    assert sorted(made.notes("computed")) == ["of-a", "of-b"]
    sha256 = json.loads(made.contents()["b.json"])["weights_sha256"]
    assert json.loads((made.folder / "of-b.result").read_text()) == [sha256]
    assert not list((made.folder / "runs").glob("build-*"))
    # In a clone the times of files are as they happened to be written.
    for age, path in enumerate([*made.folder.glob("*.result"), *(made.folder / "zoo").iterdir()]):
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    assert made.call("build") == 0
    assert capsys.readouterr().out == "Nothing is missing.\n"


@pytest.mark.slow
def test_a_changed_recipe_makes_its_network_and_its_results_again(made: TinyZoo) -> None:
    before, steps, computed = made.contents(), made.notes("steps"), made.notes("computed")
    made.edit("SEED, STEPS, PAUSE = 0", "SEED, STEPS, PAUSE = 1")
    assert made.call("build", "--cores", "2") == 0
    after = made.contents()
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed - {"a.png"} == {f"{n}.{e}" for n in ("a", "a-step1") for e in ENDS}
    assert made.notes("steps")[len(steps) :] == ["1", "2", "3"]
    assert made.notes("computed")[len(computed) :] == ["of-a"]
    assert made.call("verify") == 0


@pytest.mark.slow
def test_damaged_weights_are_found_and_made_again(
    made: TinyZoo, capsys: pytest.CaptureFixture[str]
) -> None:
    before, steps, computed = made.contents(), made.notes("steps"), made.notes("computed")
    path = made.folder / "zoo" / "b.safetensors"
    path.write_bytes(before[path.name][:-1] + bytes([before[path.name][-1] ^ 1]))
    assert made.call("verify") == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert f"The weights {path} are damaged" in line
    rmtree(made.folder / "runs")  # the weights in its folder would do
    assert made.call("build", "--cores", "2") == 0
    assert made.contents()[path.name] == before[path.name]
    assert made.notes("steps")[len(steps) :] == ["1", "2", "3"]
    # Its result is what it was, since its weights are.
    assert made.notes("computed") == computed


@pytest.mark.slow
def test_a_killed_build_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    pytest.importorskip("snakemake")
    zoo = TinyZoo(tmp_path)
    zoo.write()
    zoo.edit("PAUSE = 0, 3, 0", "PAUSE = 0, 40, 0.1")
    process = zoo.start("build", "a")
    wait_for(lambda: len(zoo.notes("steps")) >= 5)
    for found in [*psutil.Process(process.pid).children(recursive=True), process]:
        found.kill()
    process.wait()
    before = [int(step) for step in zoo.notes("steps")]
    assert before == list(range(1, len(before) + 1))
    assert before[-1] < 40
    zoo.edit("40, 0.1", "40, 0")
    assert zoo.call("build", "a") == 0
    after = [int(step) for step in zoo.notes("steps")[len(before) :]]
    assert after == list(range(after[0], 41))
    assert before[-1] <= after[0] <= before[-1] + 1


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(6_000):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it does not happen")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_request_to_stop_reaches_the_jobs(tmp_path: Path, number: int) -> None:
    started = tmp_path / "started"
    child = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()} '); time.sleep(300)"
    parent = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}, sys.argv[1]])"
    )

    def stop() -> None:
        wait_for(lambda: started.exists() and bool(started.read_text()))
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    thread = Thread(target=stop)
    thread.start()
    assert workflow._run([sys.executable, "-c", parent, str(started)]) == 128 + number
    thread.join()
    assert signal.getsignal(number) is before
    wait_for(lambda: not psutil.pid_exists(int(started.read_text())))


def test_the_exit_code_is_that_of_the_command() -> None:
    assert workflow._run([sys.executable, "-c", "raise SystemExit(3)"]) == 3


# The plan


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module with three networks and three results, of which the states can be set."""
    module = ModuleType("fake_zoo")
    small = {"data": "c_alpha", "size": 8, "n_train": 4, "width": 2, "depth": 1, "steps": 9}
    module.RECIPES = {name: make_run(alpha=2.0, snapshots=(3,), **small) for name in "abc"}  # type: ignore[attr-defined]
    networks = {"x": ("a", "b-step3", "b"), "y": ("c",), "z": ()}
    module.RESULTS = {k: SimpleNamespace(networks=v) for k, v in networks.items()}  # type: ignore[attr-defined]
    module.states = dict.fromkeys("abc", "current")  # type: ignore[attr-defined]
    module.stale = set()  # type: ignore[attr-defined]
    module.is_current_result = lambda name: name not in module.stale  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fake_zoo", module)
    monkeypatch.setattr(workflow, "state_of", lambda name, run, folder: module.states[name])
    return module


@pytest.mark.parametrize(
    ("states", "stale", "names", "networks", "results"),
    [
        ({}, "", "", {}, {}),
        ({"a": "missing"}, "x", "", {"a": "missing"}, {"x": ("a",)}),
        ({"b": "of another recipe"}, "", "", {"b": "of another recipe"}, {"x": ("b",)}),
        ({}, "yz", "", {}, {"y": (), "z": ()}),
        ({"a": "damaged", "c": "damaged"}, "", "a", {"a": "damaged"}, {}),
        ({"a": "damaged", "c": "missing"}, "xy", "y", {"c": "missing"}, {"y": ("c",)}),
    ],
)
def test_the_plan_is_what_is_missing_and_what_depends_on_it(
    fake: ModuleType,
    states: dict[str, str],
    stale: str,
    names: str,
    networks: dict[str, str],
    results: dict[str, tuple[str, ...]],
) -> None:
    fake.states.update(states)
    fake.stale.update(stale)
    plan = make_plan(Zoo(module="fake_zoo"), list(names))
    assert (plan.networks, plan.results) == (networks, results)
    assert plan.names == [*networks, *results]


def test_a_result_of_a_missing_network_is_not_looked_at(fake: ModuleType) -> None:
    fake.states["c"] = "missing"
    fake.is_current_result = lambda name: name != "y" or pytest.fail("its network is not there")
    assert make_plan(Zoo(module="fake_zoo")).results == {"y": ("c",)}


def test_unknown_names_are_refused_with_the_list(fake: ModuleType) -> None:
    with pytest.raises(ConfigError, match=r"no network or result q. There are: a, b, c, x, y, z\."):
        make_plan(Zoo(module="fake_zoo"), ["a", "q"])


def test_the_paper_has_folders_of_its_own(tmp_path: Path) -> None:
    book, paper = Zoo(), Zoo("paper", tmp_path)
    assert (book.run_folders, book.networks) == (Path("runs"), FOLDER)
    assert (paper.run_folders, paper.networks) == (Path("runs/paper"), Path("runs/paper/networks"))
    assert not paper.results
    assert "faces-100000-A" in paper.recipes
    assert not Zoo(folder=tmp_path).results
    with pytest.raises(ConfigError, match="folder of CelebA's aligned images"):
        _ = Zoo("paper").recipes


def test_a_job_is_told_all_that_the_plan_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("faces").mkdir()
    Path("beds").mkdir()
    zoo = Zoo("paper", Path("faces"), Path("r"), Path("o"), "some.module", Path("beds"))
    options = job._parser().parse_args(["name", *zoo.arguments()])
    here = tmp_path.resolve()
    assert job.zoo_of(options) == Zoo(
        "paper", here / "faces", here / "r", here / "o", "some.module", here / "beds"
    )
    assert options.names == ["name"]


def test_without_snakemake_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'pip install "gahr-lib\[zoo\]"'):
        carry_out(Zoo(runs=tmp_path / "runs"), Plan({"a": "missing"}, {}))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("cores", "profile", "expected", "absent"),
    [
        (None, None, "--cores all", "--profile"),
        (3, None, "--cores 3", "--profile"),
        (None, "slurm", "--profile slurm", "--cores"),
        (None, "here", "--profile {here}", "--cores"),
        (2, "slurm", "--profile slurm --cores 2", "--resources"),
    ],
)
def test_cores_and_profile_reach_snakemake(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cores: int | None,
    profile: str | None,
    expected: str,
    absent: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here").mkdir()
    command = " ".join(workflow._command(tmp_path / "config.json", cores, profile))
    assert expected.format(here=tmp_path.resolve() / "here") in command
    assert absent not in command


# The job


def test_jobs_make_what_is_missing_one_after_the_other(
    fake: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    computed: list[str] = []
    fake.stale.add("z")
    fake.build_result = computed.append
    fake.RECIPES = {}
    fake.RESULTS = {name: SimpleNamespace(networks=()) for name in "yz"}
    places = ["--module", "fake_zoo", "--runs", str(tmp_path), "--out", str(tmp_path)]
    assert job.main(places) == 0
    assert computed == ["z"]
    assert capsys.readouterr().out == "y is there.\n"
    assert job.main(["q", *places]) == 1
    assert capsys.readouterr().err.startswith("gahr: There is no network or result q.")
