"""The page's words for the options of the commands: each field is there, and nothing else of a sentence changes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from gyakusan.message import Listed, Message, say
from gyakusan.text import tell
from gyakusan.web.field_words import FIELDS, TICKED, Parameter, say_on


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("path", FIELDS)
def test_every_field_is_on_its_page(own: TestClient, path: str, language: str) -> None:
    text = own.get(
        path if path != "/fit" else "/fit?device=RTX+4090&bandwidth=1GB/s", headers={"accept-language": language}
    ).text
    for option, label in FIELDS[path].items():
        name = option.replace("-", "_")
        assert re.search(rf'name="{name}"', text), option
        assert tell(label, language) in text, option  # type: ignore[arg-type]
        assert ('type="checkbox" name="' + name + '"' in text) == (option in TICKED)


@pytest.mark.parametrize(
    ("path", "words", "english", "japanese"),
    [
        ("/fit", say("Add --context {longest}.", longest="16384"), "Set “Context for each person” to 16384.",
         "「1人あたりのコンテキスト」16384を付けてください。"),
        ("/plan", say("{name} is sold second-hand only, for about {price} ({month}): add --used.", name="A", price=1, month=2),
         "A is sold second-hand only, for about 1 (2): tick “Consider used prices”.", "「中古価格も対象に含める」を選択"),
        ("/plan", say("{n} machines have no price that counts today: add --why-not NAME for why.", n=3),
         "3 machines have no price that counts today: use “Why not” for why.", "(理由は「選ばれない理由」で表示)。"),
        ("/fit", say("size unknown: say --ram 64GiB"), "size unknown: set “RAM beside the GPU” to 64GiB", "64GiB"),
        ("/fit", say("{name} is a format of {other}: add --engine {option}.", name="AWQ", other="vLLM", option="vllm"),
         "AWQ is a format of vLLM: set “Server” to vllm.", "「サーバー」にvllmを指定"),
        ("/plan", say("--device names a machine you own, --budget one to buy: both were given."),
         "“Machine” names a machine you own, “Budget” one to buy: both were given.", "「マシン」(手持ち)と「予算」(購入)"),
        ("/plan", say("{told}; each: add --details N.", told=say("May")), "May.", "。"),
        ("/plan", say('Type: gyakusan plan --device "{name}"', name="x"), 'Type: gyakusan plan --device "x"',
         "gyakusan plan --device"),
        ("/fit", say("Choose another format: --quant AWQ, or llama.cpp with a GGUF file: --engine llama.cpp"),
         "Choose another format: “Quantisation” AWQ, or llama.cpp with a GGUF file: “Server” llama.cpp", "「量子化」AWQ"),
        ("/compare", say("Choose another with --quant."), "Choose another with --quant.", "--quant"),
        ("/fit", say("{key} cannot be {value}.", key=Parameter("kv_type"), value="'x'"), "“KV cache kept as” cannot be 'x'.",
         "「KVキャッシュの型」"),
        ("/plan", say("{key}: {problem}", key="users", problem="x"), "“People at once”: x", "「同時に使う人数」: x"),
        ("/plan", say("{key}: {problem}", key="count", problem="x"), "“Most cards in a machine”: x",
         "「1台あたりのGPU数の上限」: x"),
        ("/compare", say("--device names a machine you own, --budget one to buy: both were given."),
         "“Machine” names a machine you own, “Budget” one to buy: both were given.", "「予算」(購入)"),
        ("/plan",
         say("1 cheaper machine, not tried here, has a price in {currency} only: --currency {currency}", currency="USD"),
         "1 cheaper machine, not tried here, has a price in USD only: “Currency” USD", "「通貨」USD"),
        ("/plan", say("The speed of its RAM is not known: gyakusan calibrate measures it; or add --bandwidth 80GB/s."),
         "The speed of its RAM is not known: set “Bandwidth of the RAM” to 80GB/s.", "「RAMの帯域幅」に80GB/sを指定"),
        ("/accuracy", say("Add --context {longest}.", longest="16384"), "Add --context 16384.", "--context 16384"),
    ],
)  # fmt: skip
def test_a_sentence_on_a_page(path: str, words: Message, english: str, japanese: str) -> None:
    assert say_on(path, words, "en") == english
    assert japanese in say_on(path, words, "ja")


def test_sentences_in_sentences() -> None:
    inner = say("Add --context {longest}.", longest="16384")
    told = say_on("/fit", say("{plan}: {roles}", plan=inner, roles=Listed((inner, say("fastest")))), "en")
    assert told.count("“Context for each person” to 16384") == 2


@given(st.text(max_size=60))
def test_any_words(text: str) -> None:
    """What somebody typed may look like a template or an option; it never fails."""
    say_on("/fit", say("{key} cannot be {value}.", key=Parameter(text), value=text), "en")
    say_on("/fit", say("{what}", what=text + " --context 3 --ram"), "ja")


MISTAKES = [
    "/fit?model=foo", "/fit?model=/etc/x.gguf", "/fit?model=hf:org/name", "/fit?model=org/name", "/fit?model=ollama:foo",
    "/fit?model=config.json", "/fit?engine=vllm&quant=AWQ", "/fit?device=foo", "/fit?device=Mac+Studio&memory=1GiB",
    "/plan?device=foo", "/plan?model=/x/y.gguf", "/plan?model=hf:a/b", "/plan?model=bge-m3", "/plan?why_not=foo",
    "/plan?budget=1000000JPY&device=RTX+4090", "/compare?device=foo&model=gpt-oss-20b", "/compare?plan=device%3Dfoo%23p1",
    "/compare?device=RTX+4090&model=foo", "/catalogue/record?name=foo", "/catalogue/devices?memory=x",
]  # fmt: skip


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("address", MISTAKES)
def test_an_error_advises_what_the_page_can_do(client: TestClient, address: str, language: str) -> None:
    answer = client.get(address, headers={"accept-language": language})
    assert answer.status_code >= 400
    told = re.sub(r"<[^>]+>", " ", answer.text.partition("<main")[2].partition("</main")[0])
    assert re.findall(r"--[a-z]+|gyakusan [a-z]+|`|a path|パス|hf:.*ください", told) == []
