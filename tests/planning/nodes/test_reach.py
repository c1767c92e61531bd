"""What copies can reach, by sweeps alone."""

from __future__ import annotations

import pytest
from tests.planning.nodes.computers import node

from gyakusan.planning.nodes.answers import plans_on
from gyakusan.planning.nodes.reach import SLACK, Curve, Reach, for_share, reach
from gyakusan.planning.request.parse_request import parse_request

NODES = [node("RTX 4090"), node("RTX 3060 12GB"), node("RTX 4090", "twin")]
MODEL = "llama3.1-8b"
REQUEST = parse_request({"model": MODEL, "users": 48, "context": "4k"})


def test_between_two_known_numbers_of_people_the_speed_is_a_power() -> None:
    curve = Curve((1, 2, 4, 8), (100.0, 50.0, 25.0, 0.0))
    assert curve.most(101) == 0
    assert curve.most(100) == 1
    assert curve.most(100 / 3) == pytest.approx(3)
    assert (curve.most(10), curve.most(10, hopeful=True)) == (4, 7)
    assert curve.most(30, hopeful=True) == curve.most(30)
    assert Curve((1, 2), (0.0, 0.0)).most(1) == 0


def test_people_are_dealt_out_so_that_the_slowest_is_fastest() -> None:
    fast, slow = Curve((1, 16), (160.0, 10.0)), Curve((1, 16), (16.0, 1.0))
    known = Reach(11, {"m": (fast, slow)})
    assert known.speed("m", 2) == pytest.approx(16, rel=0.1)
    assert known.shares("m", 2, 16.0) == pytest.approx([10, 1])
    assert known.may_reach("m", 2, 16)
    assert not known.may_reach("m", 2, 30)
    assert known.deals("m", 2)[0] == pytest.approx([10, 1], rel=0.1)


def test_the_curve_of_a_node_is_what_its_plans_say() -> None:
    known = reach(REQUEST, NODES, (MODEL,))
    assert known.curves[MODEL][0] == known.curves[MODEL][2]
    for place, found in enumerate(NODES[:2]):
        curve = known.curves[MODEL][place]
        assert list(curve.visible_tokens_per_s) == sorted(curve.visible_tokens_per_s, reverse=True)
        for users in (1, 8, 32):
            plans = next(plans_on(for_share(REQUEST, users), (found.machine,)))
            speeds = [p.pace.decode_each.value / p.thinking.factor for p in plans if p.pace is not None]
            fastest = max(speeds, default=0.0)
            assert curve.visible_tokens_per_s[curve.users.index(users)] >= fastest / SLACK


def test_a_copy_has_its_share_of_the_requests() -> None:
    asked = for_share(parse_request({"arrivals": "600/h", "users": 10}), 4)
    assert (asked.users, asked.arrivals) == (4, pytest.approx(600 / 3600 * 0.4))
    assert for_share(REQUEST, 3).arrivals is None
