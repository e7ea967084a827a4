import subprocess
import sys
from pathlib import Path


def test_a_type_checker_sees_parameters_and_results_of_tasks() -> None:
    program = Path(__file__).with_name("typed_program.py")
    command = [sys.executable, "-m", "mypy", "--strict", str(program)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, cwd=program.parents[3])
    assert checked.stdout.startswith("Success"), checked.stdout
