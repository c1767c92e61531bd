"""Japanese names of what an option lets choose: コーディング for "coding", 日本語 for "ja"."""

from __future__ import annotations

from collections.abc import Mapping

_LANGUAGES = {"日本語": "ja", "和文": "ja", "japanese": "ja", "jp": "ja", "英語": "en", "英文": "en", "english": "en"}
_SWITCH = {"自動": "auto", "オン": "on", "有効": "on", "オフ": "off", "無効": "off"}
CHOICE_WORDS: Mapping[str, Mapping[str, str]] = {
    "task": {
        "チャット": "chat",
        "会話": "chat",
        "対話": "chat",
        "雑談": "chat",
        "コーディング": "coding",
        "プログラミング": "coding",
        "コード": "coding",
        "開発": "coding",
        "文書への質問": "rag",
        "文書検索": "rag",
        "資料への質問": "rag",
        "社内文書": "rag",
        "エージェント": "agents",
        "エージェント作業": "agents",
        "agent": "agents",
        "翻訳": "translation",
        "埋め込み": "embedding",
    },
    "language": _LANGUAGES,
    "lang": _LANGUAGES,
    "prefer": {
        "バランス": "balanced",
        "バランス型": "balanced",
        "品質": "quality",
        "品質重視": "quality",
        "速度": "speed",
        "速さ": "speed",
        "速度重視": "speed",
        "価格": "price",
        "値段": "price",
        "安さ": "price",
        "価格重視": "price",
    },
    "os": {
        "指定なし": "any",
        "linux": "linux",
        "windows": "windows",
        "macos": "macos",
        "リナックス": "linux",
        "ウィンドウズ": "windows",
        "マック": "macos",
        "mac": "macos",
    },
    "flash-attention": _SWITCH,
    "kind": {"デバイス": "devices", "マシン": "machines", "モデル": "models", "埋め込みモデル": "embeddings"},
}
"""What an option's value may be called, by the option's name without its dashes. A name means one value."""

_PROPER: Mapping[str, str] = {"linux": "Linux", "windows": "Windows", "macos": "macOS"}
"""Names that are written in Latin letters in Japanese too."""


def choice(option: str, word: str) -> str:
    """Return the value that a word names, the word itself where it names none. option: e.g. "task" or "--task"."""
    return CHOICE_WORDS.get(option.lstrip("-"), {}).get(word.strip().casefold(), word)


def in_japanese(option: str, value: str) -> str:
    """Return what a Japanese screen calls a value: Linux, else its first Japanese name, "" where it has none."""
    words = CHOICE_WORDS.get(option.lstrip("-"), {})
    if value in words and value in _PROPER:
        return _PROPER[value]
    return next((word for word, named in words.items() if named == value and not word.isascii()), "")
