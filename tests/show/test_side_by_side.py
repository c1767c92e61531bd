"""Plans side by side say the same quantities as machines side by side: power is what a whole machine takes at the wall."""

from __future__ import annotations

import pytest

from gyakusan.python.comparing import compare, plans_beside
from gyakusan.python.planning import plan
from gyakusan.show import compare as machines
from gyakusan.show import side_by_side
from gyakusan.show.tree import Table, Tree
from gyakusan.text import tell

HEAD = "power of the machine, W"


def _power(screen: Tree) -> list[str]:
    """Return the cells of the row of power."""
    rows = [row for part in screen if isinstance(part, Table) for row in part.rows]
    return [str(cell) for row in rows if not isinstance(row[0], str) and tell(row[0], "en") == HEAD for cell in row[1:]]  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["RTX 5090", "DGX Spark 128GB", "RTX 3060 12GB"])
def test_power_is_one_quantity(device: str) -> None:
    """An R9700 had 300 W beside plans and 458 W beside machines, under the same word."""
    alone = compare(device, model="gpt-oss-20b")
    beside = plans_beside((), [device], ["gpt-oss-20b"])
    assert _power(side_by_side.screen(beside.sides, beside.amounts)) == _power(
        machines.screen(alone.rows, alone.amounts)
    )


def test_a_plan_has_the_power_of_its_offer() -> None:
    made = plan(budget="1000000JPY", users=2, model="gpt-oss-20b")
    from gyakusan.planning.select.side_by_side import compared_plan

    side = compared_plan("a", made.plans[0], "overall")
    watts = made.plans[0].offer.wall_power
    found = compare("RTX 5090", model="gpt-oss-20b")
    shown = _power(side_by_side.screen([side], found.amounts))
    assert shown == ["?" if watts is None else f"{watts:,.0f}"]
