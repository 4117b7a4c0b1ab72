"""How it stands with each link: what went over it, how fast it may send, since when it is up or down, what failed last.

Kept apart from the binds themselves, because it outlives them: a link that is down has a history, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from smpp import constants
from smpp.backoff import WRONG_ACCOUNT
from smpp.errors import BindRefused
from smpp.flow import Flow
from smpp.traffic import Traffic

from .config import Link
from .record import moment


class LinkState:
    """One link. `traffic` and `flow` are shared by all of its binds."""

    __slots__ = ("binds", "flow", "last_error", "last_error_at", "link", "since", "traffic", "wrong_account")

    def __init__(self, link: Link, now: float, wall_clock: float) -> None:
        self.link = link
        self.traffic = Traffic()
        self.flow = Flow(link.limits.per_second, now)
        self.binds = 0
        self.since = wall_clock
        self.last_error = ""
        self.last_error_at: float | None = None
        self.wrong_account = False
        """The peer has refused our account when we tried last: a matter for people."""


class LinkStates:
    """All links of this process."""

    def __init__(self, links: Mapping[str, Link], now: Callable[[], float], wall_clock: Callable[[], float]) -> None:
        """`now`: monotonic seconds; `wall_clock`: seconds since 1970."""
        self._wall_clock = wall_clock
        self._states = {name: LinkState(link, now(), wall_clock()) for name, link in links.items()}
        self.quirks_of_strangers: Counter[str] = Counter()
        """Of who has not bound."""

    def __getitem__(self, name: str) -> LinkState:
        return self._states[name]

    def all(self) -> Mapping[str, LinkState]:
        """Every link by its name."""
        return self._states

    def bound(self, name: str) -> None:
        """One more bind of this link is open."""
        state = self._states[name]
        state.binds += 1
        state.wrong_account = False
        if state.binds == 1:
            state.since = self._wall_clock()

    def gone(self, name: str, reason: str) -> None:
        """A bind of this link has ended."""
        state = self._states[name]
        state.binds -= 1
        if not state.binds:
            state.since = self._wall_clock()
        self.failed(name, reason)

    def not_bound(self, name: str, error: ConnectionError) -> None:
        """We tried to bind and could not."""
        self._states[name].wrong_account = isinstance(error, BindRefused) and error.status in WRONG_ACCOUNT
        self.failed(name, str(error))

    def failed(self, name: str, reason: str) -> None:
        """What went wrong last; `reason` names no password."""
        state = self._states[name]
        state.last_error, state.last_error_at = reason, self._wall_clock()

    def told(self, name: str, in_flight: int) -> dict[str, Any]:
        """What `ussd-engine links` shows of one link."""
        state = self._states[name]
        config, traffic = state.link.config, state.traffic
        return {
            "link": name,
            "role": config.role,
            "network": config.network,
            "dialect": config.dialect,
            "state": "bound" if state.binds else "down",
            "binds": state.binds,
            "since": moment(state.since),
            "last_error": state.last_error,
            "last_error_at": moment(state.last_error_at) if state.last_error_at is not None else None,
            "wrong_account": state.wrong_account,
            "in_flight": in_flight,
            "per_second": state.flow.per_second,
            "received": sum(traffic.received.values()),
            "sent": sum(traffic.sent.values()),
            "throttled": sum(
                count
                for (command_id, status), count in traffic.received.items()
                if command_id & constants.RESPONSE and status == constants.ESME_RTHROTTLED
            ),
            "quirks": dict(traffic.quirks),
        }
