"""JSON documents: msgspec structs whose field names are the keys, and their JSON Schemas.

Functions of these modules make documents from values. Sentences stay messages; `writer` translates them. A document is
a contract: see docs/en/json.md. Nothing here is imported unless JSON is asked for.
"""
