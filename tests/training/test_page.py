"""The page on training is about the program as it is."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from gahr_lib import cli
from gahr_lib.jobs import SCALES, Job, make_run
from gahr_lib.jobs import job as job_module
from gahr_lib.training import TrainConfig

PAGE = (Path(__file__).parents[2] / "book/appendix/training.md").read_text(encoding="utf-8")
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)).replace("\\\n", " ")
COMMANDS = re.findall(r"(?:gahr|gahr_lib\.cli) (train .*)", SHELL)


def carried_out(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Return the job that a command would carry out."""
    jobs: list[Job] = []
    monkeypatch.chdir(tmp_path)
    for folder in ("my/photographs", "my/faces"):
        Path(folder).mkdir(parents=True)
    monkeypatch.setattr(cli, "load_images", lambda *_, **__: None)
    monkeypatch.setattr(cli, "_carry_out", lambda job, quiet: jobs.append(job) or 0)
    arguments = shlex.split(command.replace("$HOME", str(tmp_path)), comments=True)
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 0
    (job,) = jobs
    return job


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    carried_out(command, tmp_path, monkeypatch)


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 10


def test_the_table_of_scales_is_true() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", PAGE, flags=re.MULTILINE)
    table = {name: (book, paper) for name, book, paper in rows}
    for column, name in enumerate(("book", "paper")):
        scale = SCALES[name]
        config = scale.training
        expected = {
            "size of images that can have any": f"{scale.size}",
            "width, depth of a UNet": f"{scale.width}, {scale.depths['unet']}",
            "width, depth of a BF-CNN": f"{scale.width}, {scale.depths['bf_cnn']}",
            "steps, images in each": f"{config.steps:,}, {config.batch_size}",
            "optimizer": config.optimizer.capitalize(),
            "highest learning rate": f"{config.learning_rate}",
        }
        for row, value in expected.items():
            assert table[row][column] == value
    assert [SCALES[name].training.sigma_power for name in ("book", "paper")] == [1.5, 2.0]
    assert {scale.training.sigma_min for scale in SCALES.values()} == {0.005}


def test_the_recipe_of_the_authors_is_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (command,) = [command for command in COMMANDS if "--schedule halving" in command]
    job = carried_out(command, tmp_path, monkeypatch)
    paper = make_run("paper", data="discs").training
    assert job.run.training == TrainConfig(
        paper.steps,
        paper.batch_size,
        optimizer="adam",
        learning_rate=1e-3,
        warmup=0,
        average=0,
        sigma_power=2,
        sigma_min=0,
        weight_power=0,
        schedule="halving",
    )


def test_checkpoints_are_as_frequent_as_it_says() -> None:
    assert f"every {job_module.CHECKPOINT_SECONDS:.0f} seconds" in PAGE


def test_the_notebook_s_loop_runs(capsys: pytest.CaptureFixture[str]) -> None:
    *_, loop = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(loop.replace("steps=500", "steps=2"), "training.md", "exec"), names)
    assert names["state"].step == 2
    assert not names["denoiser"].training
