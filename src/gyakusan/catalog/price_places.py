"""What kind of price a record is, and where a person finds it: the maker's list, a shop, the street, or an estimate.

A list price is what the maker asks. A price of a shop stands in that shop. A street price is what a comparison of shops, a
market report or a writer saw. An estimate was derived or recalled: nobody sells for it.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from gyakusan.catalog.prices import PriceRecord

Kind = Literal["list", "shop", "street", "estimate", "given"]
"""given: the asker said it himself; no record is of this kind."""
SHOPS = frozenset(
    [
        "acemagic.com",
        "bee-link.com",
        "eu.bee-link.com",
        "bhphotovideo.com",
        "bosgame.com",
        "bosgamepc.com",
        "cdw.com",
        "corsair.com",
        "gmktec.com",
        "de.gmktec.com",
        "jp.gmktec.com",
        "eshop.asus.com",
        "frame.work",
        "marketplace.nvidia.com",
        "minisforumpc.eu",
        "store.minisforum.com",
        "nimopc.com",
        "onexplayerstore.com",
        "staples.com",
    ]
)
MAKERS_LISTS = frozenset(
    [
        "apple.com",
        "support.apple.com",
        "daringfireball.net",
        "monodeck.jp",
        "forums.developer.nvidia.com",
        "phoronix.com",
    ]
)
"""Sites of makers, and articles that give a maker's prices."""
STREET = frozenset(
    [
        "compute-market.com",
        "gadget.e-sakenomi.com",
        "gaming-st.com",
        "gamingpcs.jp",
        "gazlog.com",
        "geizhals.de",
        "gpupoet.com",
        "hashrateindex.com",
        "howmuch.one",
        "kakaku.com",
        "mlq.ai",
        "morgannriu.fr",
        "pcprice.watch",
        "resaleprices.com",
        "shouhinlab.fun",
        "tweakers.net",
        "zenn.dev",
    ]
)
"""Comparisons of shops, market reports, articles."""
WRITTEN = (
    (re.compile(r"GitHub (index )?file id .*table"), "a comparison table in a public repository"),
    (re.compile(r"GitHub index file id .*digest"), "a digest in a public repository"),
    (re.compile(r"hand-made"), "a hand-made market table"),
    (re.compile(r"Zenn draft"), "a draft of an article on GitHub, from its author's own look at the market"),
    (re.compile(r"Qiita guide"), "a Qiita guide"),
    (re.compile(r"[\w.-]+/[\w.-]+"), ""),
)
"""(source that is no address, what a person can look for; "" = the repository that it names)"""
_LISTED = re.compile(r"^list\b|list price|\bMSRP\b", re.IGNORECASE)


def host(price: PriceRecord) -> str:
    """Return the site of a price, without "www.", "" where its source is no address."""
    return urlsplit(price.source.split(" via ")[0].split(" ")[0]).netloc.removeprefix("www.")


def kind(price: PriceRecord) -> Kind:
    """Return what kind of price this is."""
    site = host(price)
    if price.confidence == "low" or price.source.startswith(("derived", "rule of thumb", "recalled")):
        return "estimate"
    if _LISTED.search(price.configuration) or site in MAKERS_LISTS:
        return "list"
    return "shop" if site in SHOPS else "street"


def place(price: PriceRecord) -> str:
    """Return the site or the publication that a person can look for, "" where the record knows none."""
    if site := host(price):
        return site
    for pattern, words in WRITTEN:
        if (found := pattern.match(price.source)) is not None:
            return words or f"github.com/{found[0]}"
    return ""
