"""The peer that `make bench` measures pairs with, in short; and what a thousand idle binds weigh."""

from __future__ import annotations

import socket

import pytest

from bench import pairs


@pytest.mark.parametrize("window", [1, 10, 100])
def test_the_peer_sends_and_we_answer_everything(window: int) -> None:
    with pairs.OurSide("listen") as ours, pairs.bound_to(ours.port()) as peer:
        assert pairs.Sending(peer, window).work(0.2) > window


@pytest.mark.parametrize("window", [1, 10, 100])
def test_we_send_and_the_peer_answers_everything(window: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        with pairs.OurSide("dial", port, str(window)):
            assert pairs.Answering(listening).work(0.2) > window


def test_a_thousand_idle_binds_stay_under_200_megabytes() -> None:
    with_links, without = pairs.memory()
    assert without < with_links < pairs.MEMORY_MIB_MAX
