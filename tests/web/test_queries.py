"""Whatever an address asks, the answer is a struct or an error of ours."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from gyakusan.errors import GyakusanError, UnknownName
from gyakusan.web.app import application
from gyakusan.web.queries import CompareQuery, InspectQuery, PlanQuery, read
from gyakusan.web.routes import ROUTES

WORDS = (
    "", "0", "1", "-1", "2", "1e400", "nan", "9" * 40, "１２", "32k", "131072", "1.5", "true", "off", "gpt-oss-20b", "RTX 4090",
    "2x RTX 3090", "0x RTX 4090", "99999999x RTX 4090", "24GiB", "1e30GiB", "-5GiB", "f16", "q4_0", "Q4_K_M", "AWQ", "vllm",
    "all", "1000000JPY", "..", "/etc/passwd", "~root", "http://127.0.0.1:1/", "hf:a/b", "ollama:x", "<script>", "{x}", "%s",
    "日本語", "\u202e", "a\0b", "'", "\U0001f600", "chat", "ja", "quality",
)  # fmt: skip
CHEAP = [route for route in ROUTES if route.name in ("inspect", "memory-map", "compare", "record")]


def test_values_become_what_the_struct_says() -> None:
    found = read(
        PlanQuery, [("users", " 2 "), ("used", "on"), ("images", "0"), ("gpus", "4"), ("why-not", "x"), ("task", "")]
    )
    assert found == PlanQuery(users="2", used=True, images=False, gpus=4, why_not="x")
    several = read(CompareQuery, [("device", "a"), ("model", "m"), ("device", "b"), ("lang", "ja"), ("theme", "dark")])
    assert (several.device, several.model) == (("a", "b"), ("m",))
    assert read(InspectQuery, []) == InspectQuery()


@pytest.mark.parametrize("kind", [InspectQuery, PlanQuery, CompareQuery])
def test_every_field_is_described(kind: type) -> None:
    for name in kind.__struct_fields__:
        assert f"    {name}: " in (kind.__doc__ or "")


def test_an_unknown_name_is_answered_with_those_that_are_known() -> None:
    with pytest.raises(UnknownName, match="context"):
        read(InspectQuery, [("contxt", "1")])


@given(
    st.lists(
        st.tuples(st.sampled_from([*InspectQuery.__struct_fields__, "x"]), st.text() | st.sampled_from(WORDS)),
        max_size=6,
    )
)
def test_any_pairs(pairs: list[tuple[str, str]]) -> None:
    with contextlib.suppress(GyakusanError):
        assert isinstance(read(InspectQuery, pairs), InspectQuery)


@settings(max_examples=120)
@given(st.data())
def test_no_question_breaks_the_api(data: st.DataObject) -> None:
    client = TestClient(application("127.0.0.1"), base_url="http://127.0.0.1")
    route = data.draw(st.sampled_from(CHEAP))
    names = st.sampled_from(route.query.__struct_fields__)
    pairs = data.draw(st.dictionaries(names, st.sampled_from(WORDS), max_size=3))
    given_device = {"device": "RTX 4090"} if "device" in route.query.__struct_fields__ else {}
    answer = client.get(route.path, params={**given_device, **pairs})
    assert answer.status_code in (200, 400, 404, 422)
