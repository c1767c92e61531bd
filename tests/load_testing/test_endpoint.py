def test_the_loads_of_a_bench_stay_within_the_slots() -> None:
    from gyakusan.load_testing.endpoint import USERS, loads_within

    assert loads_within(None) == USERS
    for slots in (0, 1, 2, 3, 5, 100):
        assert max(loads_within(slots)) <= max(1, slots)
        assert loads_within(slots)[0] == 1
