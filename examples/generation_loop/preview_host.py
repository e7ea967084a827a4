"""A preview host: `PUT /user/sandbox/` uploads a WSGI project, `GET /user/sandbox/` runs it.

    python -m examples.generation_loop.preview_host 8130

It executes what it is given and so listens on this machine only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from http import HTTPStatus
from types import ModuleType
from typing import TYPE_CHECKING
from wsgiref.simple_server import make_server

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class PreviewHost:
    """The WSGI application that holds the uploaded ones, by path."""

    def __init__(self) -> None:
        self._apps: dict[str, WSGIApplication] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] == "PUT":
            self._apps[path] = self._uploaded(environ)
            return _empty(HTTPStatus.CREATED, start_response)
        if path not in self._apps:
            return _empty(HTTPStatus.NOT_FOUND, start_response)
        return self._apps[path](environ, start_response)

    @staticmethod
    def _uploaded(environ: WSGIEnvironment) -> WSGIApplication:
        files = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        module = ModuleType("webapp")
        exec(compile(files["webapp.py"], "webapp.py", "exec"), module.__dict__)
        application: WSGIApplication = module.__dict__["application"]
        return application


def _empty(status: HTTPStatus, start_response: StartResponse) -> list[bytes]:
    start_response(f"{status.value} {status.phrase}", [("Content-Length", "0")])
    return []


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8130
    with make_server("127.0.0.1", port, PreviewHost()) as server:
        print(f"preview host on http://127.0.0.1:{port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
