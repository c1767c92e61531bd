"""LocalScore: nine pairs of prompt and answer lengths, and one number from three speeds.

Source: localscore.ai, "Test descriptions" (cjpais/LocalScore, src/components/informational/TestDescriptionsTable.tsx)
and its score: 10 x the cube root of prompt tokens/s x answer tokens/s x 1000 / milliseconds to the first token, each a
mean over the tests. Ours is measured through the server's API, theirs inside the program: compare ours with ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gyakusan.load_testing.result import StepResult
from gyakusan.load_testing.workload import Shape, Step

TESTS = (
    (1024, 16),
    (4096, 256),
    (2048, 256),
    (2048, 768),
    (1024, 1024),
    (1280, 3072),
    (384, 1152),
    (64, 1024),
    (16, 1536),
)
"""Prompt and answer. [tokens]"""


def steps(context: int | None) -> tuple[Step, ...]:
    """Return the tests for one person that fit in the context of a conversation, all where it is not known."""
    fitting = (t for t in TESTS if context is None or sum(t) + 64 <= context)
    return tuple(Step(Shape(prompt, answer), users=1) for prompt, answer in fitting)


def score(results: Sequence[StepResult]) -> float | None:
    """Return the score of the whole set, None if a test is missing or has no figures."""
    shapes = {(r.step.shape.prompt, r.step.shape.answer) for r in results}
    whole = [
        (r.prefill.value, r.each.value, r.ttft.mean.value)
        for r in results
        if r.prefill and r.each and r.ttft and r.ttft.mean
    ]
    if not shapes >= set(TESTS) or len(whole) < len(TESTS):
        return None
    prefill, decode, ttft = (sum(column) / len(whole) for column in zip(*whole, strict=True))
    return 10 * math.cbrt(prefill * decode / ttft)
