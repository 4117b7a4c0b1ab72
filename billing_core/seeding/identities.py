"""Who the first numbers' holders are, as their identity documents would say."""

from __future__ import annotations

from billing_core.database import Connection
from billing_core.seeding.ranges import DEMO_NETWORKS, DEMO_NUMBERS, RANGES, seeded_holders

# Surnames and names of men and of women.
_PEOPLE = (
    (
        ("Ахметов", "Оспанов", "Сейтқали", "Ким", "Жұмабаев", "Иванов", "Нұрланов", "Байжанов", "Петров", "Әбенов"),
        ("Нұрлан", "Ерлан", "Дмитрий", "Асхат", "Бауыржан", "Сергей", "Данияр"),
    ),
    (
        ("Ахметова", "Оспанова", "Сейтқали", "Ким", "Жұмабаева", "Иванова", "Нұрланова", "Байжанова", "Петрова"),
        ("Айгүл", "Динара", "Ольга", "Гүлнар", "Мадина", "Елена", "Әсел"),
    ),
)
_WEIGHTS = (tuple(range(1, 12)), (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2))
_ADD = """
INSERT INTO identities (subscriber_id, surname, name, person_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""


async def seed_identities(connection: Connection) -> None:
    """Adds the identities that are missing."""
    rows = []
    for at, numbers in enumerate(each for each in RANGES if each.network in DEMO_NETWORKS):
        for n, subscriber in (await seeded_holders(connection, numbers, DEMO_NUMBERS)).items():
            surnames, names = _PEOPLE[n % 2]
            row = (subscriber, surnames[n // 2 % len(surnames)], names[n // 2 % len(names)])
            rows.append((*row, iin_of(at * DEMO_NUMBERS + n)))
    await connection.executemany(_ADD, rows)


def iin_of(n: int) -> str:
    """The IIN of person `n`: day of birth, century with sex, place in the register, control digit.

    The register leaves out places that have no control digit.
    """
    born = f"{60 + n % 40:02}{1 + n % 12:02}{1 + n % 28:02}{3 + n % 2}"
    place = 100 + n
    while (control := _control(f"{born}{place:04}")) is None:
        place += 1000
    return f"{born}{place:04}{control}"


def _control(eleven: str) -> int | None:
    """The control digit after eleven others: the first of two weighted sums modulo 11 that is a digit."""
    sums = (sum(int(digit) * weight for digit, weight in zip(eleven, row, strict=True)) % 11 for row in _WEIGHTS)
    return next((control for control in sums if control < 10), None)
