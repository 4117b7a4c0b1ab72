"""Stands in for the engine or the billing core: it listens where the configuration says, and answers `/ready`.

Rules of this file:
- It is called as the real ones are: `serve`, `migrate` or `seed`, then `--config FILE`; `seed` has `--numbers N`.
- What it was told is added to the file `told` in the data folder, so that a test can read it.
- A file in the data folder named `<name>.fails` makes it write that file's text and end with exit code 3.
"""

from __future__ import annotations

import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from stack.settings import read_settings


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/ready" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main(name: str, what: str, arguments: list[str]) -> None:
    settings = read_settings(Path(arguments[arguments.index("--config") + 1]))
    with (settings.data_folder / "told").open("a") as told:
        numbers = arguments[arguments.index("--numbers") + 1] if "--numbers" in arguments else ""
        told.write(f"{name} {what} {numbers}".strip() + "\n")
    fails = settings.data_folder / f"{name}.fails"
    if fails.exists():
        print(fails.read_text(), flush=True)
        sys.exit(3)
    if what == "serve":
        listen = settings.engine_http if name == "engine" else settings.core_http
        signal.signal(signal.SIGTERM, lambda *_: end(settings.data_folder, name))
        HTTPServer((listen.host, listen.port), Ready).serve_forever()


def end(data_folder: Path, name: str) -> None:
    with (data_folder / "told").open("a") as told:
        told.write(f"{name} ends\n")
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
