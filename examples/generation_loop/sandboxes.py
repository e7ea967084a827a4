"""Build a generated project away from everything else: a temporary folder, and a Python of its own for each step."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

STEPS = (["compileall", "-q", "."], ["unittest", "--failfast"])
STEP_SECONDS = 60


def build(sandbox_id: str, files: dict[str, str]) -> tuple[bool, str]:
    """Byte-compile a project and run its tests: whether both went well, and what the last step printed.

    Raises:
        subprocess.TimeoutExpired: A step took longer than a minute.
    """
    output = ""
    with tempfile.TemporaryDirectory(prefix=f"{sandbox_id}-") as folder:
        for name, text in files.items():
            Path(folder, name).write_text(text)
        for step in STEPS:
            command = [sys.executable, "-m", *step]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=STEP_SECONDS)
            output = done.stdout + done.stderr
            if done.returncode != 0:
                return False, output
    return True, output
