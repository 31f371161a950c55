"""Who publishes, and whose words they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinks.outlets import Outlet, Outlets
from stream.errors import UsageError
from tests.sinks.world import OUTLETS


@pytest.mark.parametrize("domain", ["ledger.example", "www.ledger.example", "M.Ledger.Example."])
def test_subdomains_belong_to_the_outlet(domain: str) -> None:
    assert OUTLETS.find(domain).name == "The Strait Ledger"


def test_an_unlisted_domain_stands_for_itself_unverified() -> None:
    found = OUTLETS.find("www.notledger.example")
    assert (found.name, found.family, found.verified) == ("notledger.example",) * 2 + (False,)
    assert OUTLETS.find("An archive's own name").name == "An archive's own name"


@pytest.mark.parametrize(
    "text",
    [
        "SINGAPORE (Meridian Wire) - The summit is on.",
        "PANMUNJOM (meridian  wire): The leaders met.",
        "The summit is on. Meridian Wire contributed to this report.",
        "The summit is on.\nSource: Meridian Wire.",
        "This report was supplied by Meridian Wire.",
        "The summit is on.\n— Meridian Wire",
        "x " * 5000 + "Meridian Wire supplied this report.",
    ],
)
def test_a_credit_to_a_wire_is_found(text: str) -> None:
    found = OUTLETS.credited_wire(text)
    assert found is not None
    assert found.family == "Meridian Wire"


@pytest.mark.parametrize(
    "text",
    [
        "The editor of Meridian Wire was detained on Tuesday.",
        "The summit is on (Hangang Daily).",
        "A meridian wire (a telescope's) contributed.",
        "x " * 400 + "(Meridian Wire)" + " x" * 400,
    ],
)
def test_a_mention_is_no_credit(text: str) -> None:
    assert OUTLETS.credited_wire(text) is None


def test_credits_are_looked_for_without_wires_too() -> None:
    assert Outlets().credited_wire("(Meridian Wire)") is None


def test_the_file_is_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "outlets.toml"
    path.write_text('[[outlet]]\ndomain = "a.example"\nname = "A"\nfamily = "F"\n')
    assert Outlets.load(path).find("a.example") == Outlet("a.example", "A", "F")
    for wrong, said in {
        '[[outlet]]\nname = "A"': "domain is missing",
        '[[outlet]]\ndomain = "a"\ncolour = "red"': "unknown key 'colour'",
        "[[outlet]]\ndomain = 3": "must be a text",
        'outlet = "a"': "expected [[outlet]]",
        "[[": "not valid TOML",
    }.items():
        path.write_text(wrong)
        with pytest.raises(UsageError) as caught:
            Outlets.load(path)
        assert said in str(caught.value)
    with pytest.raises(UsageError, match="cannot read"):
        Outlets.load(tmp_path / "none.toml")
    assert Outlets.load(None).find("b.example").verified is False
