"""Each failpoint ends its process again and again, while somebody pays, reserves, tops up or sends an SMS.

Rules of this file:
- One process is armed at a time. Its restart arms the next point, so that what one death left half done is gone on with
  under the next.
- People act until the process is dead; what they still wait for, they wait for beside the next point.
- The points that leave quotes open which somebody asked about come first of the core's: the fence, which comes last,
  meets them when their time is over.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Final, NamedTuple

import asyncpg

import failpoints
from billing.http_client import HttpBilling
from billing.signing import key_from_file
from chaos.judge import judge
from chaos.load import Load
from chaos.people import FIRST_PAYER, FIRST_RESERVER, add_people
from chaos.purchases import Payment, Reservation, Transfer
from chaos.report import Report, Terms
from chaos.stand import BINDS, BOUND_SECONDS_MAX, CORE, Stand
from chaos.stories import Asked, Scene, Story, TopUp, Word
from stack import places
from stack.child import StartError

TIMES: Final = 50
"""How often each point ends its process."""
PASSED_SECONDS_MAX: Final = 60.0
LOOK_SECONDS: Final = 0.005
LINGER_SECONDS: Final = 0.5
"""So long after somebody has done all they do, what follows of it may still pass the point."""
PEOPLE_A_TRIAL: Final = 4
"""More than act at a trial, on average."""

_PURCHASES: Final = ("transfer", "payment", "reservation")
_ACTS: Final = {
    **dict.fromkeys(("sms_done",), ("word",)),
    **dict.fromkeys(("sms_submitted", "sms_accepted", "notice_taken"), ("top-up", "transfer")),
    **dict.fromkeys(("notice_leased", "sms_marked"), ("transfer", "top-up")),
    "biller_asked": ("payment",),
    "fenced": ("question",),
}
"""Who makes a process pass the point, in turn; where none stands, those who purchase."""
_PASSES: Final = {
    "pdu_parsed": (2, 1, 3),
    "pdu_answered": (2, 1, 3),
    "session_saved": (3, 4, 1, 2),
    "screen_submitted": (2, 1, 3),
    "notice_row": (1, 2),
}
"""At which pass the process ends, in turn; the first, where none stands. The second message is the PIN; the third
time a dialogue is saved is before it is sent."""
_CORE_FIRST, _CORE_LAST = ("claimed", "notice_row"), ("fenced",)


class Trial(NamedTuple):
    """One death: where, at which pass, who acts, and whether the peer sends again what was not answered."""

    point: str
    times: int
    act: str
    redelivers: bool

    @property
    def program(self) -> str:
        return failpoints.POINTS[self.point].program


def trials(times: int) -> Sequence[Trial]:
    """All of them, the engine's first."""
    points = sorted(failpoints.POINTS, key=_place)
    return [_trial(point, nth, place) for place, point in enumerate(points) for nth in range(times)]


def _place(point: str) -> tuple[bool, int]:
    order = 0 if point in _CORE_FIRST else 2 if point in _CORE_LAST else 1
    return failpoints.POINTS[point].program == failpoints.CORE, order


def _trial(point: str, nth: int, place: int) -> Trial:
    acts, passes = _ACTS.get(point, _PURCHASES), _PASSES.get(point, (1,))
    act = acts[(nth + place) % len(acts)]
    return Trial(point, passes[nth % len(passes)], act, nth % 2 == 0)


async def run(terms: Terms) -> Report:
    """The campaign."""
    report = Report("failpoints", terms.seed)
    planned = trials(terms.times(TIMES))
    async with AsyncExitStack() as closing:
        stand = await closing.enter_async_context(Stand(terms.folder, terms.say))
        people = PEOPLE_A_TRIAL * len(planned) + 100
        await add_people(stand, people, people)
        owner = await asyncpg.create_pool(places.postgres_url(stand.data_folder), min_size=1, max_size=4)
        closing.push_async_callback(owner.close)
        desk, engine = _client(stand, "desk"), _client(stand, "engine")
        for client in (desk, engine):
            await client.start()
            closing.push_async_callback(client.close)
        stage = _Stage(Scene(stand, owner, report), terms, desk, engine)
        for nth, trial in enumerate(planned):
            await stage.play(trial)
            if (nth + 1) * 10 // len(planned) != nth * 10 // len(planned):
                terms.say(f"{nth + 1} of {len(planned)} deaths")
        await stage.end()
        load = Load(stand, terms.chance("load"))
        load.attempts = stage.scene.attempts
        await judge(stand, load, report)
    report.figures |= {"points": len(failpoints.POINTS), "deaths by points": sum(stage.deaths_of.values())}
    report.figures |= {f"deaths of {name}": count for name, count in stage.deaths_of.items()}
    return report


def _client(stand: Stand, name: str) -> HttpBilling:
    key = key_from_file(places.key_file(stand.data_folder, name).read_bytes())
    return HttpBilling(f"http://{stand.settings().core_http}", name, key, breaker_failures=1_000_000)


class _Stage:
    """Where the trials are played, one after the other."""

    def __init__(self, scene: Scene, terms: Terms, desk: HttpBilling, engine: HttpBilling) -> None:
        self.scene = scene
        self.deaths_of: Counter[str] = Counter()
        self._terms = terms
        self._desk = desk
        self._engine = engine
        self._numbers = _counted()
        self._living: dict[Story, asyncio.Task[None]] = {}
        self._armed: str | None = None
        """The program that runs with a point armed, or has died of it."""

    async def play(self, trial: Trial) -> None:
        """From the start of the armed process to its death."""
        is_first_of_core = trial.program == failpoints.CORE != self._armed
        if not await self._start(trial):
            return self._died(trial, failpoints.EXIT_CODE)  # what others had left open has passed it already
        if is_first_of_core:
            self._next(trial._replace(act="question"))  # its time is over when the fence is armed
        story: Story | None = None
        began = acted_at = time.monotonic()
        child = self.scene.stand.children[self._part(trial.program)]
        while (code := child.poll()) is None:
            now = time.monotonic()
            acted_at = acted_at if story is not None and story.acted.is_set() else now
            if now - began > PASSED_SECONDS_MAX:
                self.scene.report.failures.append(f"{trial.point} was never passed: {trial}")
                child.kill()
            elif story is None or now - acted_at > LINGER_SECONDS:
                story, acted_at = self._next(trial), now
            await asyncio.sleep(LOOK_SECONDS)
        self._died(trial, code)

    async def end(self) -> None:
        """All run unarmed, and everybody is told what they wait for."""
        if self._armed is not None:
            await self._start_part(self._armed, "")
        await asyncio.gather(*self._living.values())

    # --- processes ---

    async def _start(self, trial: Trial) -> bool:
        if self._armed not in (None, trial.program):
            await self._start_part(str(self._armed), "")
        if self._armed != trial.program:
            self.scene.whole.clear()
            self.scene.deaths += 1
            self.scene.stand.kill(self._part(trial.program))
        self._armed = trial.program
        try:
            await self._start_part(trial.program, f"{trial.point}:{trial.times}")
        except StartError as error:
            if f"exit code {failpoints.EXIT_CODE}:" not in str(error):
                raise
            return False
        return True

    async def _start_part(self, program: str, failpoint: str) -> None:
        stand = self.scene.stand
        await stand.start(self._part(program), {failpoints.VARIABLE: failpoint})
        for centre in stand.centres.values():
            await centre.until_bound(BINDS, BOUND_SECONDS_MAX)
        self.scene.whole_since = time.monotonic()
        self.scene.whole.set()

    def _part(self, program: str) -> str:
        return CORE if program == failpoints.CORE else self.scene.stand.engines[0]

    def _died(self, trial: Trial, code: int | None) -> None:
        scene, part = self.scene, self._part(trial.program)
        scene.whole.clear()
        scene.deaths += 1
        scene.stand.kills[part] = scene.stand.kills.get(part, 0) + 1
        self.deaths_of[trial.point] += 1
        scene.report.check(code == failpoints.EXIT_CODE, f"{trial.point}: {part} ended with {code}")
        acting = [each for each in self._living if not each.acted.is_set()]
        for each in acting:
            each.met.append(f"{trial.point} confirming" if each.confirming and len(acting) == 1 else trial.point)

    # --- people ---

    def _next(self, trial: Trial) -> Story:
        """A story that passes the point begins; a question that waits for its fence is one that has begun."""
        waiting = [each for each, task in self._living.items() if each.kind == Asked.kind and not task.done()]
        if trial.act == "question" and waiting:
            return waiting[0]
        story = self._story(trial)
        self._living[story] = asyncio.create_task(story.live())
        return story

    def _story(self, trial: Trial) -> Story:
        n = next(self._numbers)
        scene, again = self.scene, trial.redelivers
        payer, to, reserver = str(FIRST_PAYER + 2 * n), str(FIRST_PAYER + 2 * n + 1), str(FIRST_RESERVER + n)
        match trial.act:
            case "transfer":
                return Transfer(scene, payer, to, 10 + n, redelivers=again)
            case "payment":
                return Payment(scene, payer, 10 + n, redelivers=again)
            case "reservation":
                return Reservation(scene, reserver, n, redelivers=again)
            case "top-up":
                return TopUp(scene, reserver, 10 + n, self._desk)
            case "question":
                return Asked(scene, payer, to, 10 + n, self._engine)
        return Word(scene, reserver)


def _counted() -> Iterator[int]:
    n = 0
    while True:
        yield n
        n += 1
