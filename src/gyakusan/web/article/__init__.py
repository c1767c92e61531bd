"""The article that gyakusan comes from, claim by claim: what it says, whether it holds, with figures of today's catalogue.

The article: 「GPU メモリから逆算するローカル LLM モデル選定ガイド」, 2025-12-09.
"""
