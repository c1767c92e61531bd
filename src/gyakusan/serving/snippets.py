"""How other programs are told of a server: what each of them reads, with the source of its form.

The key itself is in none of them: a variable names it, or the place where the program keeps secrets.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from msgspec import Struct

from gyakusan.catalog.models import find
from gyakusan.doors.shell import shell_word
from gyakusan.errors import UnknownName
from gyakusan.patterns import late
from gyakusan.serving.access import KEY_VARIABLE, is_loopback
from gyakusan.serving.endpoints import Endpoint

PROGRAMS = ("curl", "openai-python", "openai-js", "open-webui", "continue", "cline")
"""Names of the programs, as --for takes them."""
NO_KEY = "none"
"""What clients that insist on a key are given where the server asks for none."""
PASTE: Mapping[str, str] = {"en": "(paste the key)", "ja": "(キーを貼り付ける)"}
"""Stands where a program's settings take the key itself: a path or a variable is none there."""
THEIR_KEY = "YOUR-KEY-FILE"
"""Stands where people on other computers name a file of theirs with the key."""
PROMPTS: Mapping[str, str] = {"en": "Say hello in one sentence.", "ja": "一文で挨拶してください。"}
"""What the programs ask, in the reader's language."""
_FILE_ENDING = late(r"(-GGUF)?([:.-](UD-)?(I?Q\d|MXFP4|F16|BF16|F32|gguf)[\w.-]*)?$", re.IGNORECASE)
"""What the name of a file or a repository has behind the model's."""


Key = Literal["", "variable", "secret", "pasted"]
"""How a program gets the key: the text reads it, from the variable, from its own file of secrets, or pasted in its settings."""


class Snippet(Struct, frozen=True):
    """What one program reads.

    program: its name, as --for takes it
    title: its name, as people write it
    language: of the text: shell, python, javascript, yaml, text
    place: the file that it goes to, "" for what is typed or run
    text: to be pasted as it stands
    key: where it expects the key, "" if the text itself reads it
    """

    program: str
    title: str
    language: str
    place: str
    text: str
    key: Key = ""


def snippets(endpoint: Endpoint, model: str, language: str = "en") -> tuple[Snippet, ...]:
    """Return what each program reads for a server.

    model: its name there
    language: of the question that the programs ask
    """
    prompt = _prompt(model, language)
    keyed = has_key(endpoint)
    keys: tuple[Key, Key, Key] = ("variable", "secret", "pasted") if keyed else ("", "", "")
    variable, secret, pasted = keys
    from_shell: Key = "" if endpoint.read_file is not None else variable
    return (
        Snippet("curl", "curl", "shell", "", curl(endpoint, model, language), from_shell),
        Snippet("openai-python", "OpenAI (Python)", "python", "", _python(endpoint, model, prompt), variable),
        Snippet(
            "openai-js", "OpenAI (JavaScript)", "javascript", "chat.mjs", _javascript(endpoint, model, prompt), variable
        ),
        Snippet("open-webui", "Open WebUI", "shell", "", _open_webui(endpoint), from_shell),
        Snippet("continue", "Continue", "yaml", "~/.continue/config.yaml", _continue(endpoint, model), secret),
        Snippet("cline", "Cline", "text", "", _cline(endpoint, model, language), pasted),
    )


def key_command(endpoint: Endpoint, key: Key) -> str:
    """Return the command with which a program gets the key, "" where its text reads the key itself or there is none."""
    print_key = f'printf %s "{key_words(endpoint)}"'
    if endpoint.read_file is not None:
        print_key = f"cat {shell_word(str(endpoint.read_file))}"
    if not has_key(endpoint) or not key:
        return ""
    if key == "variable":
        return f'export {KEY_VARIABLE}="{key_words(endpoint)}"' if endpoint.read_file is not None else ""
    if key == "secret":
        return f'(umask 077; mkdir -p ~/.continue; echo "{KEY_VARIABLE}=$({print_key})" >> ~/.continue/.env)'
    return print_key


def has_key(endpoint: Endpoint) -> bool:
    """Return True if the server asks for a key."""
    return endpoint.key is not None or endpoint.key_file is not None


def key_words(endpoint: Endpoint) -> str:
    """Return the words of a shell that stand for the key inside double quotes."""
    if endpoint.read_file is not None:
        return f"$(cat {shell_word(str(endpoint.read_file))})"
    return f"${KEY_VARIABLE}"


def _prompt(model: str, language: str) -> str:
    """Return what the programs ask: in the reader's language, but in English where the model is known not to speak it."""
    try:
        spoken = find(_FILE_ENDING.sub("", model.rpartition("/")[2])).languages
    except UnknownName:
        spoken = ()
    return PROMPTS["en" if spoken and language not in spoken else language]


def curl(endpoint: Endpoint, model: str, language: str = "en") -> str:
    """Return one line that asks one question, in the reader's language."""
    asked = [{"role": "user", "content": _prompt(model, language)}]
    body = json.dumps({"model": model, "messages": asked, "max_tokens": 64}, ensure_ascii=False)
    header = f' -H "Authorization: Bearer {key_words(endpoint)}"' if has_key(endpoint) else ""
    url = shell_word(f"{endpoint.url}/chat/completions")
    known = f"--cacert {shell_word(str(endpoint.certificate))} " if endpoint.certificate is not None else ""
    return f"curl -sS {known}{url} -H 'Content-Type: application/json'{header} -d {shell_word(body)}"


def curl_elsewhere(endpoint: Endpoint, model: str, language: str = "en") -> str:
    """Return the line for another computer, which has files of its own; "" where none reaches the server or nobody knows."""
    if not endpoint.lan_url:
        return ""
    key_file = Path(THEIR_KEY) if has_key(endpoint) else None  # of people with keys of their own it is not read
    certificate = None if endpoint.certificate is None else Path(endpoint.certificate.name)
    return curl(replace(endpoint, url=endpoint.lan_url, key_file=key_file, certificate=certificate), model, language)


def _python(endpoint: Endpoint, model: str, prompt: str) -> str:
    """Return a program for the client of openai. Source: github.com/openai/openai-python, README.md (base_url, api_key)."""
    key = f'os.environ["{KEY_VARIABLE}"]' if has_key(endpoint) else json.dumps(NO_KEY)
    lines = (
        *(("import os", "") if has_key(endpoint) else ()),
        "from openai import OpenAI",
        "",
        f"client = OpenAI(base_url={json.dumps(endpoint.url)}, api_key={key})",
        "answer = client.chat.completions.create(",
        f"    model={json.dumps(model)},",
        f'    messages=[{{"role": "user", "content": {json.dumps(prompt, ensure_ascii=False)}}}],',
        ")",
        "print(answer.choices[0].message.content)",
    )
    return "\n".join(lines)


def _javascript(endpoint: Endpoint, model: str, prompt: str) -> str:
    """Return a program for the client of openai. Source: github.com/openai/openai-node, README.md (baseURL, apiKey)."""
    key = f"process.env.{KEY_VARIABLE}" if has_key(endpoint) else json.dumps(NO_KEY)
    lines = (
        'import OpenAI from "openai";',
        "",
        f"const client = new OpenAI({{ baseURL: {json.dumps(endpoint.url)}, apiKey: {key} }});",
        "const answer = await client.chat.completions.create({",
        f"  model: {json.dumps(model)},",
        f'  messages: [{{ role: "user", content: {json.dumps(prompt, ensure_ascii=False)} }}],',
        "});",
        "console.log(answer.choices[0].message.content);",
    )
    return "\n".join(lines)


def _open_webui(endpoint: Endpoint) -> str:
    """Return a command that starts Open WebUI beside the server, on port 3000.

    Sources: docs.openwebui.com, Python environments (uvx --python 3.11 open-webui@latest serve) and environment
    configuration (OPENAI_API_BASE_URL, OPENAI_API_KEY); open_webui/__init__.py, serve (--host, --port). A container does not
    reach a server that listens on 127.0.0.1 only; for others see docs.vllm.ai, deployment/frameworks/open-webui.
    """
    key = f'"{key_words(endpoint)}"' if has_key(endpoint) else NO_KEY
    url = shell_word(endpoint.url)
    host = urllib.parse.urlsplit(endpoint.url).hostname or ""
    if is_loopback(host):
        return (
            f"OPENAI_API_BASE_URL={url} OPENAI_API_KEY={key} "
            "uvx --python 3.11 open-webui@latest serve --host 127.0.0.1 --port 3000"
        )
    return (
        f"docker run -d -p 127.0.0.1:3000:8080 --name open-webui -v open-webui:/app/backend/data "
        f"-e OPENAI_API_BASE_URL={url} -e OPENAI_API_KEY={key} ghcr.io/open-webui/open-webui:main"
    )


def _continue(endpoint: Endpoint, model: str) -> str:
    """Return a config.yaml. Source: docs.continue.dev, customize/model-providers/top-level/openai, "OpenAI API compatible".

    Strings are written as JSON has them, which YAML reads, too. Secrets: docs.continue.dev, FAQs, "Managing local secrets":
    ${{ secrets.NAME }} reads ~/.continue/.env.
    """
    key = f"${{{{ secrets.{KEY_VARIABLE} }}}}" if has_key(endpoint) else NO_KEY
    lines = (
        "name: gyakusan",
        "version: 0.0.1",
        "schema: v1",
        "models:",
        f"  - name: {json.dumps(model)}",
        "    provider: openai",
        f"    model: {json.dumps(model)}",
        f"    apiBase: {json.dumps(endpoint.url)}",
        f"    apiKey: {json.dumps(key)}",
        "    roles: [chat, edit, apply]",
    )
    return "\n".join(lines)


def _cline(endpoint: Endpoint, model: str, language: str) -> str:
    """Return the fields of its settings. Source: docs.cline.bot, provider-config/openai-compatible, "General Configuration"."""
    key = PASTE[language] if has_key(endpoint) else NO_KEY
    fields = {"API Provider": "OpenAI Compatible", "Base URL": endpoint.url, "API Key": key, "Model ID": model}
    return "\n".join(f"{name + ':':14}{value}" for name, value in fields.items())
