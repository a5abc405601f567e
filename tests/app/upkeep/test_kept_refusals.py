"""What was refused, over a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamgauge.app.upkeep.kept_refusals import KeptRefusals
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.ledger import RefusalLedger


def ledger() -> RefusalLedger:
    return RefusalLedger(SimulatedClock(1e9))


def test_a_later_process_tells_it_too(tmp_path: Path) -> None:
    path = tmp_path / "refused.json"
    counted = ledger()
    kept = KeptRefusals(path, counted)
    kept.load()
    kept.save()
    assert not path.exists(), "nothing to tell"
    counted.count_request(RefusalReason.OVERLOADED, "full", is_deferred=True)
    kept.save()
    later = ledger()
    KeptRefusals(path, later).load()
    assert later.refusals() == counted.refusals() != []


@pytest.mark.parametrize(
    "content", ["", "[{}]", '{"a": 1}', "[1]", '[{"tenant": 1, "class": "x"}]']
)
def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path, content: str) -> None:
    path = tmp_path / "refused.json"
    path.write_text(content)
    found = ledger()
    KeptRefusals(path, found).load()
    assert found.refusals() == []


def test_a_disk_that_refuses_costs_nothing_else(tmp_path: Path) -> None:
    counted = ledger()
    counted.count_request(RefusalReason.OVERLOADED, "full", is_deferred=True)
    KeptRefusals(tmp_path / "missing" / "refused.json", counted).save()
