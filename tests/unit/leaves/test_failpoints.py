"""Failpoints: where a process can be told to die, that it dies there, and that it costs nothing otherwise."""

from __future__ import annotations

import ast
import asyncio
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import failpoints
from billing_core import cli
from ussd_engine import app
from ussd_engine.config import read_settings

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = {
    failpoints.ENGINE: ("ussd_engine", "smpp", "sessions", "billing"),
    failpoints.CORE: ("billing_core", "billing"),
}
PRODUCTION = """
production: true
billing_core:
  clients: {engine: {key_file: key, may: [subscriber]}}
  database_url: postgresql://serving@127.0.0.1:1/x
  simulated: false
"""


def passed_in(package: str) -> list[str]:
    """The points that the code of a package passes, as often as they stand there."""
    return [
        ast.literal_eval(node.args[0])
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("failpoints.passed", "failpoints.written")
    ]


def run(code: str, failpoint: str, **more: int) -> subprocess.CompletedProcess[bytes]:
    """Runs code in a process for which the point is armed."""
    environment = {**os.environ, failpoints.VARIABLE: failpoint, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, timeout=20, check=False, **more
    )


def test_each_point_of_the_table_is_passed_in_one_place_of_its_program_and_no_other_is() -> None:
    found = Counter(name for package in {*sum(PACKAGES.values(), ())} for name in passed_in(package))
    assert found == dict.fromkeys(failpoints.POINTS, 1)
    for name, point in failpoints.POINTS.items():
        assert any(name in passed_in(package) for package in PACKAGES[point.program]), name


def test_the_process_ends_at_the_armed_point_and_does_nothing_any_more() -> None:
    code = "import failpoints\nfailpoints.passed('claimed')\nprint('on', flush=True)\nfailpoints.passed('fenced')\n"
    assert run(code, "claimed").stdout == b""
    assert run(code, "claimed").returncode == failpoints.EXIT_CODE
    ended = run(code + "print('never')", "fenced")
    assert (ended.returncode, ended.stdout) == (failpoints.EXIT_CODE, b"on\n")
    assert ended.stderr == b"failpoint fenced: the process ends\n"


def test_it_ends_at_the_pass_that_was_asked_for() -> None:
    code = "import failpoints\nfor n in range(5):\n print(n, flush=True)\n failpoints.passed('claimed')\n"
    assert run(code, "claimed:3").stdout == b"0\n1\n2\n"


def test_where_the_peer_has_something_it_has_left_before_the_process_ends() -> None:
    code = """
import asyncio, failpoints, os, socket, uvloop
from smpp.reactor import reactor_on
from twisted.internet.protocol import ClientFactory, Protocol
class Peer(Protocol):
    def connectionMade(self):
        asyncio.get_running_loop().create_task(self.say())
    async def say(self):
        asyncio.get_running_loop().call_soon(self.transport.write, b"written")
        await failpoints.written("pdu_answered")
        self.transport.write(b", and gone on")
async def main():
    reactor = reactor_on(asyncio.get_running_loop())
    factory = ClientFactory.forProtocol(Peer)
    reactor.connectTCP("127.0.0.1", PORT, factory)
    await asyncio.sleep(10)
uvloop.run(main())
"""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = run(code.replace("PORT", str(server.getsockname()[1])), "pdu_answered")
        peer, _ = server.accept()
        with peer:
            assert peer.recv(100) == b"written"
    assert ended.returncode == failpoints.EXIT_CODE


async def test_what_is_not_armed_passes() -> None:
    failpoints.passed("claimed")
    await failpoints.written("confirm_sent")


@pytest.mark.parametrize("text", ["no_such_point", "claimed:0", "claimed:", "claimed:x", ":3"])
def test_a_point_that_is_none_is_refused_in_one_line_that_names_them_all(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(failpoints.VARIABLE, text)
    assert cli.main(["serve", "--config", str(ROOT / "config.yaml")]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"billing-core: USSD_FAILPOINT is '{text}': write a point")
    assert all(name in said for name in failpoints.POINTS)
    assert said.count("\n") == 1
    with pytest.raises(app.StartError, match=f"USSD_FAILPOINT is '{text}': write a point"):
        asyncio.run(app.serve(read_settings(ROOT / "config.yaml")))


def test_in_production_both_programs_refuse_to_begin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv(failpoints.VARIABLE, "claimed")
    refused = "USSD_FAILPOINT is set, and `production: true`: failpoints are for trying"
    config = tmp_path / "config.yaml"
    config.write_text(PRODUCTION)
    assert cli.main(["serve", "--config", str(config)]) == 2
    assert capsys.readouterr().err == f"billing-core: {refused}\n"
    settings = read_settings(ROOT / "config.yaml")
    with pytest.raises(app.StartError, match=refused):
        asyncio.run(app.serve(settings._replace(config=replace(settings.config, production=True))))
