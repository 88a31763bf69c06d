"""Turn the packages that Colab publishes into constraints: tools/colab_constraints.py FILE.

Colab's list is the output of `pip freeze`. What came from a file of its machines or from a
repository has no version to ask for and is left out; of `2.11.0+cu130`, a build for its GPUs, the
version remains.
"""

import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import parse_wheel_filename
from packaging.version import Version

FEWEST = 100  # Colab has several hundred; fewer than this is another file


def version_in(requirement: Requirement) -> Version | None:
    """Return the version that a line of the list names, or None."""
    if requirement.url:
        address = urlsplit(requirement.url)
        name = unquote(address.path.rpartition("/")[2])
        is_wheel = address.scheme == "https" and name.endswith(".whl")
        return parse_wheel_filename(name)[1] if is_wheel else None
    versions = [Version(s.version) for s in requirement.specifier if s.operator == "=="]
    return versions[0] if versions else None


def constraints(lines: list[str]) -> list[str]:
    """Return a constraint for each line that names a version."""
    found = []
    for line in lines:
        try:
            requirement = Requirement(line.strip())
        except InvalidRequirement:  # comments, and `-e` followed by a repository
            continue
        version = version_in(requirement)
        if version is not None:
            found.append(f"{requirement.name}=={version.public}")
    return found


if __name__ == "__main__":
    published = constraints(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines())
    if len(published) < FEWEST:
        sys.exit(
            f"{sys.argv[1]} names {len(published)} versions; expected Colab's list of several "
            "hundred. Look whether its address has changed."
        )
    print("\n".join(published))
