"""The article, checked: every verdict is supported by today's figures, and every way to ask again leads somewhere."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from gyakusan.web.article.claim import Claim
from gyakusan.web.article.claims import CLAIMS, verdict


@pytest.mark.parametrize("claim", CLAIMS, ids=[c.name for c in CLAIMS])
def test_a_verdict_is_supported_by_the_figures(claim: Claim) -> None:
    assert claim.find().holds


@pytest.mark.parametrize("claim", CLAIMS, ids=[c.name for c in CLAIMS])
def test_a_reader_can_ask_it_again(client: TestClient, claim: Claim) -> None:
    assert client.get(claim.to).status_code == 200  # an error page says 4xx


def test_every_claim_is_counted_once() -> None:
    counts = verdict().facts
    assert counts["right"] + counts["conditions"] + counts["corrected"] == counts["n"] == len({c.name for c in CLAIMS})


def test_the_page_has_the_figures_of_the_article(client: TestClient) -> None:
    text = client.get("/article", headers={"accept-language": "ja"}).text
    assert len(re.findall(r'class="chart (?:stacked|intervals)', text)) >= 2 * (4 + 4)  # each wide and narrow
    assert "gpt-oss-20b" in text
    assert "GPU メモリから逆算する" in text
    for claim in CLAIMS:
        assert f'id="{claim.name}"' in text
    heads = re.findall(r"<h2>\d+\. (.*?)</h2>", text)
    assert len(heads) == len(CLAIMS)
    assert all(re.search("[ぁ-ん]", head) for head in heads)
