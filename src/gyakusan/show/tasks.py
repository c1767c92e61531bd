"""What people do, in a word or two, as a list of a question's facts says it."""

from __future__ import annotations

DOING_TEXTS = {
    "chat": "chat",
    "coding": "coding",
    "rag": "questions about documents",
    "agents": "agents",
    "translation": "translation",
}
JAPANESE_TEXTS = {
    "chat": "chat in Japanese",
    "coding": "coding in Japanese",
    "rag": "questions about documents in Japanese",
    "agents": "agents in Japanese",
    "translation": "translation in Japanese",
}
