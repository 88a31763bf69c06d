import subprocess
import sys
from pathlib import Path

import pytest

from colab_constraints import FEWEST, constraints

SCRIPT = Path(__file__).parents[2] / "tools" / "colab_constraints.py"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("numpy==2.1.3", "numpy==2.1.3"),
        ("torch==2.11.0+cu130", "torch==2.11.0"),
        ("packaging==26.0\r", "packaging==26.0"),
        (
            "torch @ https://download.pytorch.org/whl/cpu/torch-2.11.0%2Bcpu-cp313-cp313-manylinux_2_28_x86_64.whl",
            "torch==2.11.0",
        ),
        (
            "en_core_web_sm @ https://github.com/x/y/releases/download/a/en_core_web_sm-3.8.0-py3-none-any.whl#sha256=00",
            "en_core_web_sm==3.8.0",
        ),
    ],
)
def test_versions_are_kept(line, expected):
    assert constraints([line]) == [expected]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# Editable install with no version control",
        "-e /content/somewhere",
        "-e git+https://github.com/x/y@0123#egg=y",
        "google-colab @ file:///colabtools/dist/google_colab-1.0.0.tar.gz",
        "sdist @ https://example.org/sdist-1.0.tar.gz",
        "at-least>=1.0",
    ],
)
def test_what_names_no_version_is_left_out(line):
    assert constraints([line]) == []


def test_the_command_prints_constraints(tmp_path):
    lines = [f"package-{i}==1.{i}" for i in range(FEWEST)]
    (tmp_path / "published.txt").write_text("\n".join(["-e .", *lines]))
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "published.txt"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == lines


def test_another_file_is_refused(tmp_path):
    (tmp_path / "published.txt").write_text("<html>\n404: Not Found\n</html>")
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "published.txt"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "names 0 versions" in done.stderr
