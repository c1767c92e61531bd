"""What the article says of memory: sizes of files, the KV cache of gpt-oss-20b, three dense models, what fits a card."""

from __future__ import annotations

from gyakusan.core.model import Attention
from gyakusan.message import Listed, Message, people, say
from gyakusan.show.report import Picture, memory_pictures
from gyakusan.show.wording import gib
from gyakusan.units import GIB
from gyakusan.web.article.claim import BIG_CARD, CARD, SMALL_CARD, Claim, Found, asked, fit, longest, named
from gyakusan.web.rendering import address

SIZES = (("qwen2.5-14b", 9.0), ("qwen2.5-32b", 20.0), ("qwen2.5-72b", 48.0))
"""Models of the article's first figure, and what it reads there [GB]."""
CACHES = ((131072, 1, 48), (131072, 2, 96), (65536, 1, 24), (65536, 2, 48))
"""Context, people, and the KV cache of gpt-oss-20b in the article [tokens], [people], [GB]."""
DRAWN = (
    ("qwen2.5-14b", 65536, 1, CARD), ("qwen2.5-14b", 32768, 2, CARD), ("gemma3-27b", 32768, 2, CARD),
    ("llama3.3-70b", 32768, 2, BIG_CARD),
)  # fmt: skip
"""What the article's figures 4 to 7 draw: a model of each size, context, people, and the card of the bar."""
FULL = 131072
"""The longest context of gpt-oss-20b [tokens]."""
PAIRED = 32768
"""The context of the article's two people [tokens]."""


def files() -> Found:
    """Return the sizes of the three files."""
    sizes = [(name, asked(name, 4096, 1, "RTX 5090").model.bytes / 1e9, said) for name, said in SIZES]
    rows = tuple((name, f"{said:.1f}", f"{size:.1f}") for name, size, said in sizes)
    holds = all(abs(size / said - 1) < 0.02 for _, size, said in sizes)
    sizes_told = {f"size{n}": f"{size:.1f}" for n, (_, size, _) in enumerate(sizes)}
    words = (
        say("Here they have {size0}, {size1} and {size2} GB.", **sizes_told),
        say("A file is not parameters times bits: rows that are no multiple of 256 are stored in a wider type."),
    )
    return Found(words, holds, (named(rows, say("model"), say("article (GB)"), say("file (GB)")),))


def parts() -> Found:
    """Return the four parts of one answer, drawn."""
    found = asked("qwen2.5-14b", 65536, 1, CARD)
    kinds = {line.kind for a in found.accounts for line in a.lines}
    words = say(
        "The same four here, byte by byte. Models with linear attention or Mamba add a fifth, the recurrent state."
    )
    return Found((words,), {"weights", "kv_cache", "scratch", "overhead"} <= kinds, (), memory_pictures(found)[:1])


def cache() -> Found:
    """Return the KV cache of gpt-oss-20b beside the article's."""
    sizes = [(c, u, said, asked("gpt-oss-20b", c, u, BIG_CARD).of("kv_cache") / GIB) for c, u, said in CACHES]
    rows = tuple((f"{c:,}", str(u), str(said), f"{size * GIB / 1e9:.2f}", f"{size:.2f}") for c, u, said, size in sizes)
    one, two = (size for c, _, _, size in sizes if c == FULL)
    words = (
        say("It takes {one} GiB, and {two} GiB for two.", one=f"{one:.2f}", two=f"{two:.2f}"),
        say("Eight query heads share one key and value, and every second layer keeps the last 128 tokens only."),
        say("Whoever counts 64 heads in all 24 layers finds 48 GiB."),
    )
    table = named(rows, say("context"), say("people"), say("article (GB)"), say("KV cache (GB)"), say("KV cache (GiB)"))
    picture = memory_pictures(asked("gpt-oss-20b", FULL, 2, BIG_CARD))[:1]
    return Found(words, all(said > 15 * size for *_, said, size in sizes), (table,), picture)


def weights() -> Found:
    """Return the weights of gpt-oss-20b: the file, and what is on the card."""
    found = asked("gpt-oss-20b", FULL, 1, SMALL_CARD)
    file, card = found.model.bytes / 1e9, float(found.accounts[0].of("weights")) / GIB
    words = say(
        "The file has {file} GB, and {card} GiB of it are on the card; 16 GB is the memory of the card that OpenAI names.",
        file=f"{file:.1f}", card=f"{card:.1f}",
    )  # fmt: skip
    return Found((words,), file < 13)


def starting() -> Found:
    """Return whether a card of 16 GB is enough for more than a start."""
    one, two = asked("gpt-oss-20b", FULL, 1, SMALL_CARD), asked("gpt-oss-20b", FULL // 2, 2, SMALL_CARD)
    words = say(
        "A card of 16 GB holds all {n} tokens for one person: {total} of {usable} GiB. Two people have half of it each.",
        n=f"{FULL:,}", total=gib(float(one.accounts[0].total)), usable=gib(one.accounts[0].device.usable or 0),
    )  # fmt: skip
    return Found((words,), one.fits and two.fits, (), memory_pictures(one)[:1])


def growth() -> Found:
    """Return what one more token costs in models of different sizes."""
    names = ("llama3.1-8b", "qwen2.5-14b", "gemma3-27b", "qwen2.5-32b", "llama3.3-70b", "gpt-oss-20b")
    each = {name: _token(name) for name in names}
    rows = tuple(
        (name, f"{asked(name, 4096, 1, BIG_CARD).model.parameters / 1e9:.1f}", f"{size:.0f}")
        for name, size in each.items()
    )
    words = say(
        "With context and people, yes. With the model's size, no: layers and KV heads decide, and newer models save on both."
    )
    table = named(rows, say("model"), say("parameters (billions)"), say("KiB for one more token"))
    return Found((words,), each["gemma3-27b"] < each["qwen2.5-14b"] / 2, (table,))


def _token(name: str) -> float:
    """Return what one more token takes in the KV cache, in layers that keep all tokens [KiB]."""
    model = asked(name, 4096, 1, BIG_CARD).model
    kept = (m for m in model.memory if isinstance(m, Attention) and not m.window)
    return sum(len(m.layers) * (m.key + m.value) * 2 for m in kept) / 1024


def dense() -> Found:
    """Return the article's figures 4 to 7."""
    found = [asked(*drawn) for drawn in DRAWN]
    first = float(found[0].accounts[0].total) / GIB
    words = (
        say("{total} GiB on the card, so that it fits 24 GB.", total=f"{first:.1f}"),
        say("Three captions of the article say 14b; their files are named 27b and 70b, and are drawn so here."),
    )
    pictures = tuple(
        Picture(_asked(*drawn), p.draw) for drawn, f in zip(DRAWN, found, strict=True) for p in memory_pictures(f)[:1]
    )
    return Found(words, found[0].fits and 19 < first < 22, (), pictures)


def _asked(model: str, context: int, users: int, device: str) -> Message:
    facts = {"model": model, "context": f"{context:,}", "users": users, "device": device}
    return say("{model}, {context} tokens x {users}, {device}", **facts)


def two_people() -> Found:
    """Return how far 14b to 27b go for two people."""
    rows = tuple(
        (name, *(_length(name, users, device) for device in (CARD, BIG_CARD) for users in (1, 2, 4)))
        for name in ("qwen2.5-14b", "gemma3-27b", "gpt-oss-20b", "gemma4-26b-a4b", "qwen3.6-35b-a3b")
    )
    heads = tuple(say("{load}", load=Listed((say(d), people(n)))) for d in (CARD, BIG_CARD) for n in (1, 2, 4))
    words = (
        say("Right for the models of that time; newer ones go much further."),
        say("The most tokens for each person, with newer models in the last three rows:"),
    )
    holds = longest("gemma3-27b", 2, CARD) > PAIRED and longest("qwen2.5-14b", 2, CARD) > PAIRED
    return Found(words, holds, (named(rows, say("model"), *heads),))


def _length(name: str, users: int, device: str) -> str:
    found = longest(name, users, device)
    return f"{found // 1024}k" if found >= 1024 else "-"


def largest_dense() -> Found:
    """Return how far a dense 32b goes on 32 GB, and a mixture of experts."""
    dense_length, mixed = longest("qwen2.5-32b", 2, BIG_CARD), longest("qwen3.6-35b-a3b", 2, BIG_CARD)
    words = (
        say(
            "For dense models, yes: qwen2.5-32b leaves two people {n} tokens each, 70b never fits.",
            n=f"{dense_length:,}",
        ),
        say("The mixture of experts qwen3.6-35b-a3b leaves them {n} each.", n=f"{mixed:,}"),
    )
    holds = dense_length < mixed and not longest("llama3.3-70b", 1, BIG_CARD)
    return Found(words, holds)


CLAIMS = (
    Claim(
        "files", say("Qwen2.5 14b, 32b and 72b take 9.0, 20 and 48 GB to load."), "right", files,
        fit("qwen2.5-14b", 4096, 1, CARD),
    ),
    Claim(
        "parts", say("Memory goes to four parts: model weights, system overhead, scratchpad and KV cache."), "right", parts,
        fit("qwen2.5-14b", 65536, 1, CARD),
    ),
    Claim(
        "cache", say("The KV cache of gpt-oss-20b takes about 48 GB at 131,072 tokens, and about 96 GB for two."),
        "corrected", cache, fit("gpt-oss-20b", FULL, 2, BIG_CARD),
    ),
    Claim(
        "weights", say("The weights of gpt-oss-20b take 16 GB."), "corrected", weights,
        fit("gpt-oss-20b", FULL, 1, SMALL_CARD),
    ),
    Claim(
        "starting", say("That 16 GB are enough holds for starting the model, not for using it."), "corrected", starting,
        fit("gpt-oss-20b", FULL, 1, SMALL_CARD),
    ),
    Claim(
        "growth", say("The KV cache grows about in proportion to model size, context and people."), "conditions", growth,
        address("/compare", model=("qwen2.5-14b", "gemma3-27b"), device=CARD),
    ),
    Claim(
        "dense", say("A 14b takes about 24 GB at 65,536 tokens."), "corrected", dense,
        fit("qwen2.5-14b", 65536, 1, CARD),
    ),
    Claim(
        "two-people", say("With 24 to 32 GB: 14b to 27b, a short context, about two people."), "right", two_people,
        fit("gemma3-27b", PAIRED, 2, CARD),
    ),
    Claim(
        "largest", say("On 32 GB, 32b is the largest model in practice."), "conditions", largest_dense,
        fit("qwen2.5-32b", 24 * 1024, 2, BIG_CARD),
    ),
)  # fmt: skip
"""The claims about memory, in the order of the article."""
