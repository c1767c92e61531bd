"""Hide secrets in a text that leaves this computer: tokens, keys, passwords in addresses, signatures, the home folder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

LEAST = 6
"""Shorter values of the environment are no secrets, and would hide words. [characters]"""
_NAMED = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|AUTH|COOKIE|(?:^|_)(?:KEY|PASS|PWD)(?:_|$)", re.IGNORECASE)
"""Names of variables that hold secrets."""
_PROXY = re.compile(r"://([^/\s]*)@")
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,20}://)[^/\s'\"]*@"), r"\1[secret]@"),
    (re.compile(r"(?i)\b(https?://[^\s?'\"<>]*)\?[^\s'\"<>]*"), r"\1?[secret]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), r"\1 [secret]"),
    (re.compile(r"\b(?:hf_|sk-|ghp_|gho_|github_pat_|xox[abp]-)[A-Za-z0-9_-]{6,}"), "[secret]"),
    (
        re.compile(r"(?i)((?:api[-_]?key|token|password|passwd|secret)['\"]?\s*[=:]\s*['\"]?)[^\s'\",]{4,}"),
        r"\1[secret]",
    ),
    (re.compile(r"(?<![\w.-])(?:/home|/Users|[A-Za-z]:\\Users)[/\\][^/\\\s'\"]+"), "~"),
)


def hidden(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Return text without secrets. environment: whose values are hidden, None = of this process."""
    env = os.environ if environment is None else environment
    for value in sorted(_values(env), key=len, reverse=True):
        text = text.replace(value, "[secret]")
    home = os.path.expanduser("~")
    if len(home) > 1:
        text = re.sub(re.escape(home) + r"(?![\w.-])", "~", text)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def _values(environment: Mapping[str, str]) -> set[str]:
    """Return the secrets of an environment: values of variables that are named so, and passwords in addresses of proxies."""
    found = {v.strip() for k, v in environment.items() if _NAMED.search(k) and not os.path.exists(v)}
    for value in environment.values():
        found.update(part for match in _PROXY.finditer(value) for part in (match[1], match[1].partition(":")[2]))
    return {value for value in found if len(value) >= LEAST}
