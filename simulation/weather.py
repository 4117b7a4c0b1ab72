"""What goes wrong in a run, and how often: drawn from its seed, so that each run has faults of its own."""

from __future__ import annotations

from dataclasses import dataclass

from .loop import Chance

NEVER, SELDOM, OFTEN = 0.0, 0.02, 0.12


@dataclass(slots=True)
class Weather:
    """Shares of all cases, and seconds between two faults of a kind (0: there are none)."""

    engines: int = 1
    """Processes over one store."""
    call_lost: float = NEVER
    """A call of the core never arrives."""
    answer_lost: float = NEVER
    """It is done, and its answer never arrives."""
    call_slow: float = NEVER
    """It is done later than anybody waits for it."""
    not_made: float = NEVER
    """It is not sent at all, and the caller knows."""
    core_away_seconds: float = 0.0
    store_lost: float = NEVER
    """What is asked of the store never arrives, and over it what is asked of another process."""
    store_unacknowledged: float = NEVER
    """It is done, and nobody hears so."""
    store_late: float = NEVER
    """It is done after its caller has given up."""
    store_emptied_seconds: float = 0.0
    store_older_seconds: float = 0.0
    """The store falls back to what it was some seconds ago."""
    repeated: float = NEVER
    """A message of a peer comes twice on one connection."""
    repeated_elsewhere: float = NEVER
    """It comes again, as another message, on another connection."""
    withheld: float = NEVER
    """A peer takes what we send and does not say so."""
    refused: float = NEVER
    """A peer does not take it, and says so."""
    cut_seconds: float = 0.0
    """A connection breaks."""
    crash_seconds: float = 0.0
    """An engine process is killed."""
    impatient: float = NEVER
    """A subscriber presses twice, types anything, hangs up, dials anew."""

    def clear_up(self) -> None:
        """From now on nothing goes wrong."""
        calm = Weather(engines=self.engines)
        for name in self.__slots__:
            setattr(self, name, getattr(calm, name))


_SHARES = (
    "call_lost", "answer_lost", "call_slow", "not_made", "store_lost", "store_unacknowledged", "store_late",
    "repeated", "repeated_elsewhere", "withheld", "refused",
)  # fmt: skip
_SECONDS = {"cut_seconds": 15.0, "crash_seconds": 30.0, "core_away_seconds": 40.0}
_DISASTERS = {"store_emptied_seconds": 40.0, "store_older_seconds": 40.0}


def forecast(chance: Chance) -> Weather:
    """The weather of a run: about half of all kinds of faults are left out of each, so that no kind hides another."""
    found = Weather(engines=1 + chance.hits(0.5), impatient=chance.pick((NEVER, SELDOM, OFTEN)))
    for name in _SHARES:
        setattr(found, name, chance.pick((NEVER, NEVER, SELDOM, OFTEN)))
    for name, seconds in _SECONDS.items():
        setattr(found, name, seconds if chance.hits(0.4) else 0.0)
    for name, seconds in _DISASTERS.items():
        setattr(found, name, seconds if chance.hits(0.15) else 0.0)
    return found
