"""Outliers are refused with a reason; what is plausible is not."""

from __future__ import annotations

from datetime import date

from msgspec import structs

from gyakusan.learning.judge import refusal
from gyakusan.learning.known import counting
from gyakusan.learning.rows import Row

ROW = Row("decode", "AMD EPYC", "llama.cpp", 2, "abc", 40.0, 20.0, "2026-11-28", users=1)


def test_half_as_fast_is_plausible_and_a_thirtieth_is_not() -> None:
    assert refusal(ROW, 1.6, ()) is None
    why = refusal(structs.replace(ROW, measured=40 / 30), 1.6, ())
    assert str(why) == "30 times as slow as predicted, and more than 3.1 times is not plausible"
    assert "12 times as fast" in str(refusal(structs.replace(ROW, measured=480.0), 1.6, ()))


def test_what_all_others_deny_is_refused() -> None:
    others = [structs.replace(ROW, measured=m) for m in (19.0, 20.0, 21.0)]
    wild = structs.replace(ROW, measured=85.0)
    assert refusal(wild, 1.6, others[:2]) is None
    assert str(refusal(wild, 1.6, others)) == "4.2 times off the other 3 measurements of this device"
    assert refusal(structs.replace(ROW, measured=23.0), 1.6, others) is None


def test_a_noisy_measurement_may_be_further_off() -> None:
    far = structs.replace(ROW, measured=10.0)
    assert refusal(far, 1.6, ()) is not None
    assert refusal(structs.replace(far, scatter=1.0), 1.6, ()) is None


def test_a_crowded_cpu_is_not_learned_from() -> None:
    """A bench beside a build halved the speeds of the next plan."""
    beside = structs.replace(ROW, cores=8, busy=0.26)
    assert (
        str(refusal(beside, 1.6, ()))
        == "other programs took 26 % of the cores, and above 25 % the figure tells of them"
    )
    assert refusal(structs.replace(beside, busy=0.25), 1.6, ()) is None
    assert refusal(structs.replace(beside, cores=0), 1.6, ()) is None, "a GPU computes by itself"
    ram = structs.replace(beside, quantity="bandwidth", cores=8)
    assert refusal(ram, 4.0, ()) is not None, "7.3 of 40 GB/s beside a build of two cores"
    assert refusal(structs.replace(ram, busy=0.25), 4.0, ()) is None
    kept = structs.replace(beside, date="2026-11-29", rules="r")
    assert counting([kept, structs.replace(kept, busy=0.1)], date(2026, 11, 30), "r") == (
        structs.replace(kept, busy=0.1),
    )


def test_a_delay_makes_a_short_time_late_and_no_long_one() -> None:
    short = structs.replace(ROW, quantity="ttft", predicted=0.02, measured=0.12)
    assert refusal(short, 1.6, ()) is None
    assert refusal(structs.replace(short, predicted=2.0, measured=12.0), 1.6, ()) is not None
    assert refusal(structs.replace(short, quantity="decode", predicted=12.0, measured=2.0), 1.6, ()) is not None
