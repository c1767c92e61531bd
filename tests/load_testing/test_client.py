"""The client against a fake server: what it counts, what it times, and how each failure ends."""

from __future__ import annotations

import socket

import pytest
from tests.fakes.fake_load_server import FakeChat, serving

from gyakusan.errors import BadSetting, ServerError
from gyakusan.load_testing.endpoint import address, checked_key, facts_of, target_of, usual_users
from gyakusan.load_testing.failures import FAILURE_TEXTS, MEND_TEXTS, failure_message
from gyakusan.load_testing.records import FAILURE_KINDS
from gyakusan.load_testing.result import BenchResult
from gyakusan.load_testing.session import Bench, BenchRequest
from gyakusan.load_testing.workload import Limits, Objective, Shape, Step

SHORT = Shape(64, 8)


def measured(fake: FakeChat, *steps: Step, limits: Limits | None = None, **more: object) -> BenchResult:
    asked = BenchRequest(
        target_of(fake.url, str(more.pop("key", "")) or None), steps, limits or Limits(requests=12), **more
    )  # type: ignore[arg-type]
    return Bench(asked).run()


def test_tokens_are_those_of_usage_and_times_those_of_the_stream() -> None:
    with serving(FakeChat(first=0.05, gap=0.02, pieces=2)) as fake:
        result = measured(fake, Step(SHORT, users=2))
    (step,) = result.steps
    assert (step.requests, step.failed, step.completion_tokens) == (12, 0, 8)
    assert step.prompt_tokens == pytest.approx(64, abs=1.01)
    assert step.pieces_share == 0.5
    assert step.counted_share == 1
    assert step.ttft
    assert step.ttft.smallest is not None
    assert step.ttft.smallest >= 0.05
    assert step.each
    assert step.each.value <= 7 / (3 * 0.02)  # three gaps for seven tokens after the first
    assert (result.model, result.server) == ("fake", "fake-1")
    assert result.client
    assert result.client.requests == 14  # and two of the warm-up


def test_without_usage_no_speed_is_claimed() -> None:
    with serving(FakeChat(usage=False)) as fake:
        (step,) = measured(fake, Step(SHORT, users=1)).steps
    assert step.requests == 12
    assert step.counted_share == 0
    assert step.each is None
    assert step.all is None
    assert step.ttft is not None


FAULTS = {
    "429": ("rate_limited", 429), "500": ("server_error", 500), "503": ("server_error", 503), "404": ("not_found", 404),
    "403": ("unauthorized", 403), "302": ("http_error", 302), "hang": ("hang", 200), "drip": ("drip", 200),
    "cut": ("cut", 200), "noise": ("garbage", 0), "html": ("garbage", 200), "json": ("garbage", 200),
    "endless_line": ("garbage", 200), "stream_error": ("stream_error", 200), "empty": ("empty", 200),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_failure_is_told_apart(fault: str) -> None:
    with serving(FakeChat(fault=fault, after=3)) as fake:  # two probes and the warm-up
        (step,) = measured(fake, Step(SHORT, users=1), limits=Limits(requests=2, silence=0.3, longest=0.8)).steps
    (failure,) = step.failures
    assert (failure.kind, failure.status) == FAULTS[fault]
    assert (step.requests, step.failed) == (0, 2)
    assert "\x1b" not in failure.detail
    assert str(failure_message(failure, fake.url))


def test_every_kind_has_a_message_and_a_mend() -> None:
    assert set(FAILURE_TEXTS) == set(MEND_TEXTS) == set(FAILURE_KINDS)


def test_some_fail_and_the_others_count() -> None:
    with serving(FakeChat(fault="500", after=3 + 5)) as fake:
        (step,) = measured(fake, Step(SHORT, users=1), limits=Limits(requests=7)).steps
    assert (step.requests, step.failed) == (5, 2)


def test_a_dead_server_is_not_asked_for_ever() -> None:
    with serving(FakeChat(fault="cut", after=6)) as fake:
        (step,) = measured(fake, Step(SHORT, users=2), limits=Limits(seconds=60)).steps
    assert step.failed < 20


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ServerError, match="Nobody listens at"):
            Bench(BenchRequest(target_of(url), (Step(SHORT, users=1),))).run()


def test_a_server_that_refuses_what_it_does_not_know() -> None:
    with serving(FakeChat(strict=True)) as fake:
        (step,) = measured(fake, Step(SHORT, users=1)).steps
    assert step.failed == 0
    assert step.counted_share == 1
    assert "ignore_eos" not in fake.asked[-1]
    assert fake.asked[-1]["stream_options"] == {"include_usage": True}


def test_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(FakeChat(key="secret-key-of-16")) as fake:
        assert measured(fake, Step(SHORT, users=1), key="secret-key-of-16").steps[0].failed == 0
        monkeypatch.setenv("GYAKUSAN_API_KEY", "secret-key-of-16")
        assert measured(fake, Step(SHORT, users=1)).steps[0].failed == 0
        monkeypatch.setenv("GYAKUSAN_API_KEY", "another")
        with pytest.raises(ServerError, match="refuses the API key"):
            measured(fake, Step(SHORT, users=1))
    with pytest.raises(BadSetting, match="not ASCII"):
        checked_key("a\r\nX: y")


@pytest.mark.parametrize("text", ["ftp://x", "http://", "http://a b", "http://x:99999", "http://[::1", "\x00"])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(BadSetting, match="is not the address of a server"):
        target_of(text)


def test_addresses() -> None:
    assert address(target_of("127.0.0.1:8080")) == "http://127.0.0.1:8080/v1"
    assert address(target_of("https://h/v1/chat/completions")) == "https://h:443/v1"
    assert address(target_of("http://[::1]:1/openai/v1")) == "http://[::1]:1/openai/v1"
    assert "secret" not in repr(target_of("http://h", "secret-key"))
    with pytest.raises(BadSetting, match="can be read by everybody"):
        target_of("http://user:key@h")


def test_random_arrivals() -> None:
    with serving(FakeChat(first=0.01)) as fake:
        (step,) = measured(fake, Step(SHORT, rate=200.0), limits=Limits(requests=60)).steps
    assert step.requests == 60
    assert len({str(a["messages"]) for a in fake.asked}) == len(fake.asked)


def test_a_shared_prefix_and_a_conversation() -> None:
    with serving(FakeChat()) as fake:
        measured(
            fake,
            Step(Shape(200, 4, shared=100), users=1),
            Step(Shape(60, 4, depth=300), users=1),
            limits=Limits(requests=3),
        )
    first = [str(a["messages"][-1]["content"]) for a in fake.asked[3:6]]  # type: ignore[index]
    assert len({text[:400] for text in first}) == 1
    assert len(set(first)) == 3
    deep = fake.asked[-1]["messages"]
    assert [m["role"] for m in deep] == ["user", "assistant", "user"]  # type: ignore[attr-defined]


def test_a_ramp_ends_where_the_limit_breaks() -> None:
    with serving(FakeChat(first=0.2)) as fake:
        result = measured(
            fake, Step(SHORT, users=1), limits=Limits(requests=4), objectives=(Objective("ttft", 0.1),), ramp=True
        )
    assert result.held is None
    assert [s.step.users for s in result.steps] == [1]
    with serving(FakeChat()) as fake:
        result = measured(
            fake, Step(SHORT, rate=9000.0), limits=Limits(requests=4), objectives=(Objective("ttft", 30.0),), ramp=True
        )
    assert result.held == 18000.0


def test_ten_thousand_requests_of_64_people() -> None:
    """Every request counted once, on 64 connections and the probes' one; what the client costs is printed, not judged."""
    with serving(FakeChat(tokens=4)) as fake:
        result = measured(fake, Step(Shape(64, 4), users=64), limits=Limits(requests=10_000))
    (step,) = result.steps
    assert (step.requests, step.failed) == (10_000, 0)
    assert len(fake.asked) == 10_000 + 64 + 2
    assert fake.connections <= 64 + 1 + 2  # and two that asked what the server is
    assert step.ttft
    assert step.ttft.count == 10_000
    assert step.in_flight <= 64
    print(result.client)


def test_a_build_without_its_number_is_not_named() -> None:
    with serving(FakeChat(build="b0-unknown")) as fake:
        assert facts_of(target_of(f"http://127.0.0.1:{fake.port}")).build == ""


@pytest.mark.parametrize(("slots", "users"), [(64, (1, 2, 4, 8)), (4, (1, 2, 4)), (3, (1, 2)), (1, (1,))])
def test_no_more_people_than_slots_are_tried_unless_they_are_named(slots: int, users: tuple[int, ...]) -> None:
    with serving(FakeChat(slots=slots)) as fake:
        assert usual_users(target_of(f"http://127.0.0.1:{fake.port}")) == users
