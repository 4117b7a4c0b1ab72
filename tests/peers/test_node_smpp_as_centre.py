"""node-smpp as the USSD centre that the running engine binds to: the whole way, with a peer that is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest_asyncio

from stack.programs import start_engine, stop_program
from tests.conftest import RunningStack, engine_beside

from .conftest import NodeSmpp

NUMBER = "77010000007"


@pytest_asyncio.fixture(loop_scope="session")
async def bound(running_stack: RunningStack, node: NodeSmpp, free_port: Callable[[], int]) -> AsyncIterator[NodeSmpp]:
    """An engine beside the stack's that is bound to node-smpp."""
    port = await node.listening()
    config = engine_beside(running_stack, "node-centre", port, free_port)
    engine = start_engine(config)
    await node.request("bind_transceiver")
    yield node
    await asyncio.to_thread(stop_program, engine)


async def test_a_subscriber_of_node_smpp_walks_the_menu_to_the_balance(bound: NodeSmpp) -> None:
    async def screen_after(text: str, op: int) -> tuple[int, str]:
        fields = {"source_addr": NUMBER, "source_addr_ton": 1, "destination_addr": "*111#", "short_message": text}
        bound.do("send", command="deliver_sm", fields={**fields, "ussd_service_op": op, "data_coding": 0}, tag=op)
        screen = await bound.request("submit_sm")
        return screen["ussd_service_op"], screen["short_message"]["message"]

    assert await screen_after("*111#", 1) == (
        2,
        "Мәзір\n1 Тариф/қызмет\n2 Толтыру\n3 Баланс\n4 Тарих\n5 Өтініш/SMS\n6 Нөмірім\n9 Рус/Eng",
    )
    assert await screen_after("3", 18) == (17, "Баланс: 1 788,83 тг\nБонус: 258,39 тг")
