"""Whether a process that a task left its id of still runs."""

from pathlib import Path


def is_running(pid: int) -> bool:
    """False once the process is gone, or dead and merely not yet collected by its parent."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def pids_in(folder: Path) -> list[int]:
    """The ids tasks wrote with `behaviours.leave_pid`."""
    return [int(path.name.removeprefix("pid-")) for path in folder.glob("pid-*")]
