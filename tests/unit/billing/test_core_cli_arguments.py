"""What `billing-core` is told on its command line, before it opens anything."""

from __future__ import annotations

import pytest

from billing_core.cli import main


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
