"""What `billing-core` is told on its command line, before it opens anything."""

from __future__ import annotations

import pytest

from billing_core.cli import main
from billing_core.commands import read_arguments
from billing_core.failure import Failure


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("topup +77010000007 5", "'+77010000007' is no number: it must be 7 to 15 digits"),
        ("topup 77010000007 0", "'0' is no sum"),
        ("topup 77010000007 5.005", "'5.005' is no sum"),
        ("topup 77010000007 1e3", "'1e3' is no sum"),
        ("topup 77010000007 9999999999", "'9999999999' is no sum"),
        ("topup 77010000007 5 --id 7", "invalid UUID value: '7'"),
        ("missed-call 77010000007", "the following arguments are required: --from"),
        ("missed-call 77010000007 --from 77010000008 --times 1000", "'1000' is not 1 to 999"),
        ("missed-call 77010000007 --from 77010000008 --times 0", "'0' is not 1 to 999"),
        ("perform balances.get +77010000007", "'+77010000007' is no number"),
        ("vouchers --count 5 --sum 100", "the following arguments are required: --currency"),
        ("reconcile 6f2b1f0e-6a2b-4a51-9a52-0a6f4f6f0002 --paid --not-paid", "not allowed with argument"),
        ("charge 77010000007 5", "invalid choice: 'charge'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(
    arguments: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*arguments.split(), "--config", "/nonexistent/config.yaml"])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_what_makes_sense_is_only_stopped_by_its_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["topup", "77010000007", "499.5", "--config", "/nonexistent/config.yaml"]) == 2
    assert capsys.readouterr().err == "billing-core: /nonexistent/config.yaml: No such file or directory\n"


def test_arguments_of_an_operation_are_written_as_people_write_them() -> None:
    read = read_arguments("balances.top_up", ["sum=499.5", "place=branch-1"], "KZT")
    assert read == {"sum": {"minor": 49950, "currency": "KZT"}, "place": "branch-1"}
    assert read_arguments("services.quote", ["service=x", "connect=true"], "KZT") == {"service": "x", "connect": True}
    assert read_arguments("wallet.quote_transfer", ["to=996555000008", "sum=100"], "KGS")["sum"] == 100


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["amount=5"], "'amount=5' is no argument of balances.top_up: it has sum, place"),
        (["sum=5"], "place is missing"),
        (["sum=5.001", "place=x"], "sum must be an object"),
    ],
)
def test_arguments_that_the_contract_does_not_know_are_told(given: list[str], said: str) -> None:
    with pytest.raises(Failure, match=said):
        read_arguments("balances.top_up", given, "KZT")
