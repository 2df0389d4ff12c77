"""Asks pip-audit for known vulnerabilities in what pyproject.toml names, at the versions that are installed.

    python tools/audit.py PIP_AUDIT

`PIP_AUDIT` is the program. Exits with 1 when there is one that is not ignored on purpose. Where the service can't be
asked, it says so in one line and exits with 0: without a network the rest of the checks must still pass.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIMIT_S = 300

# {its name: why it does not concern clipsearch}
IGNORED: dict[str, str] = {}


def requirements() -> list[str]:
    """name==version of every direct dependency, optional ones included where they are installed."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(line for lines in project["optional-dependencies"].values() for line in lines),
    ]
    found = []
    for name in sorted({re.split(r"[\[<>=!~ ]", line)[0] for line in wanted} - {project["name"]}):
        try:
            found.append(f"{name}=={version(name).partition('+')[0]}")  # 2.13.0+cpu is built from 2.13.0
        except PackageNotFoundError:
            continue
    return found


def known_vulnerabilities(report: dict[str, Any]) -> tuple[int, list[str]]:
    """How many packages were looked up, and a line for each vulnerability that is not ignored."""
    audited = [entry for entry in report["dependencies"] if "vulns" in entry]
    lines = [
        f"{entry['name']} {entry['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or '-'}"
        for entry in audited
        for found in entry["vulns"]
        if not IGNORED.keys() & {found["id"], *found.get("aliases", ())}
    ]
    return len(audited), lines


def main() -> int:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(requirements()) + "\n")
        listed.flush()
        command = [
            sys.argv[1],
            "--no-deps",
            "--disable-pip",
            "-r",
            listed.name,
            "-f",
            "json",
            "--progress-spinner",
            "off",
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
            audited, lines = known_vulnerabilities(json.loads(done.stdout))
        except (OSError, ValueError, subprocess.TimeoutExpired):
            audited, lines = 0, []
    if not audited:
        print("left out: pip-audit can't reach its service")
        return 0
    print("\n".join(lines) or f"{audited} packages, no known vulnerability")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
