"""Counts instructions with callgrind."""

import re
import shlex
import shutil
import subprocess
import sys


def check():
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not installed")


def instructions(binary, options, path, cwd=None):
    """How many instructions the program needs for a capture. Its output goes to /dev/null."""
    run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", binary, *shlex.split(options), path], cwd=cwd,
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
    collected = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode or not collected:
        sys.exit(f"{path}: exit status {run.returncode}\n{run.stderr}")
    return int(collected[1])
