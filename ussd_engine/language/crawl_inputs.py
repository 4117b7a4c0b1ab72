"""What the crawl types: answers that pass the checks of a question, answers that do not, and SMS (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .menu import Check, Pattern


def texts_of(pattern: Pattern) -> list[str]:
    """SMS that a pattern takes, and some that it nearly does."""
    if pattern.secret:
        return ["7" * pattern.digits]
    word = pattern.words[0] if pattern.words else "?"
    if pattern.number:
        return [word, f"{word} 7010000008", f"{word} 555123456"]
    if not pattern.save:
        return [word]
    return [f"{word} {second}" for second in pattern.choices or ("7", "text")]


def typed(checks: tuple[Check, ...]) -> Iterator[str]:
    """Answers that pass, and some that do not, for each kind."""
    examples: Mapping[str, tuple[str, ...]] = {
        "text": ("W", "Ж" * 20, "W" * 160),
        "digits": tuple("7" * length for length in (1, 2, 4, 7, 8, 10, 14, 20)),
        "count": ("0", "1", "5", "100", "5000"),
        "money": ("1", "500", "100000"),
        "msisdn": ("7010000008", "555123456"),
        "day": ("28.12.1990",),
        "inn": ("22812199000123", "01234567890123"),
        "choice": (),
    }
    if not checks:
        yield from ("W", "Ж" * 60)
    for check in checks:
        yield from check.words if check.kind == "choice" else examples[check.kind]
        for bound in (check.least, check.most):
            if bound is not None and not bound.path and isinstance(bound.constant, int):
                yield _at_bound(check.kind, bound.constant)


def _at_bound(kind: str, bound: int) -> str:
    return {"text": "W", "digits": "7"}[kind] * bound if kind in ("text", "digits") else str(bound)
