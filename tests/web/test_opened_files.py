"""A file that is opened in the page: its header alone is read, whatever it says, and few are kept."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient
from tests.serving.conftest import smollm2
from tests.web.conftest import HOST
from tests.web.test_actions import token

from gyakusan.errors import BadReference, GyakusanError
from gyakusan.models.formats import gguf_writer
from gyakusan.python.inspection import inspect
from gyakusan.web.actions import OPEN
from gyakusan.web.app import application
from gyakusan.web.opened_files import MOST_BYTES, MOST_FILES, OpenedFiles, plain

__all__ = ["smollm2"]  # the fixture

KIND = "application/octet-stream"


def sent(client: TestClient, body: bytes, name: str = "a.gguf", size: int | None = None, **headers: str) -> object:
    address = f"{OPEN}?name={quote(name)}&size={len(body) if size is None else size}"
    return client.post(
        address, content=body, headers={"content-type": KIND, "x-gyakusan-token": token(client), **headers}
    )


def test_a_file_is_inspected_by_its_header(own: TestClient, smollm2: Path) -> None:
    begin = smollm2.read_bytes()[:4_000_000]
    answer = sent(own, begin, smollm2.name, smollm2.stat().st_size)
    assert answer.json() == {"model": f"file:{smollm2.name}"}
    found = inspect(str(smollm2), device="RTX 4090", context=4096)
    query = f"model=file:{smollm2.name}&device=RTX+4090&context=4096"
    told = own.get(f"/api/v1/inspect?{query}").json()
    assert [d["total"] for d in told["devices"]] == [float(a.total) for a in found.accounts]
    page = own.get(f"/fit?{query}").text
    assert "It fits." in page
    assert "cannot be shared" in page
    assert f"{float(found.accounts[0].total) / 2**30:.2f} /" in page
    assert f"--model /FOLDER/{smollm2.name}" in page
    assert own.get(f"/api/v1/memory-map?{query}").status_code == 200
    other = TestClient(application("127.0.0.1"), base_url=HOST)
    gone = other.get(f"/fit?{query}")
    assert gone.status_code == 400
    assert "is not open in this page" in gone.text


def test_lies(own: TestClient, smollm2: Path) -> None:
    whole, size = smollm2.read_bytes()[:4_000_000], smollm2.stat().st_size
    for body, told, said in (
        (b"", 0, "a.gguf"),
        (b"GGUF", 4, "a.gguf"),
        (b"MZ" * 500, 1000, "is not a GGUF file"),
        (whole[:1000], size, "longer than 32 MiB"),
        (whole[:1000], 1000, "but only 984 bytes follow"),
        (whole, 100, "cannot have"),
        (whole, 2**60, "cannot have"),
        (whole, size // 2, "a.gguf"),
        (b"GGUF\x03\x00\x00\x00" + b"\xff" * 16 + b"\x00" * 500, 524, "a.gguf"),
    ):
        answer = sent(own, body, size=told)
        assert answer.status_code in (400, 422), said
        assert said in answer.json()["detail"]
    assert own.get("/fit?model=file:a.gguf").status_code == 400, "nothing is kept of it"


def test_who_may_send(own: TestClient) -> None:
    for headers, status in (
        ({"x-gyakusan-token": "x"}, 403), ({"origin": "https://evil.example"}, 403), ({"content-type": "text/plain"}, 415),
        ({"content-length": str(MOST_BYTES + 1)}, 413),
    ):  # fmt: skip
        assert sent(own, b"GGUF", **headers).status_code == status
    assert own.get(OPEN).status_code == 405
    assert (
        own.post(f"{OPEN}?name=a.gguf", headers={"content-type": KIND, "x-gyakusan-token": token(own)}).status_code
        >= 400
    )
    public = TestClient(application("127.0.0.1", public=True), base_url=HOST, headers={"origin": HOST})
    assert public.post(OPEN, content=b"x").status_code == 404
    assert "open-file" not in public.get("/fit").text
    assert public.get("/fit?model=file:a.gguf").status_code == 400


def test_few_are_kept(tmp_path: Path, smollm2: Path) -> None:
    files = OpenedFiles()
    begin, size = smollm2.read_bytes()[:4_000_000], smollm2.stat().st_size
    names = [files.keep(f"{i}.gguf", size, begin) for i in range(MOST_FILES + 2)]
    assert [f"file:{n}" for n in files.models] == names[2:]


def test_a_part_of_a_model_is_refused(tmp_path: Path) -> None:
    header, _ = gguf_writer.header({"general.architecture": "llama", "split.no": 0, "split.count": 2}, ())
    with pytest.raises(GyakusanError, match="one part of a model in several files"):
        OpenedFiles().keep("m-00001-of-00002.gguf", len(header), header)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a b.gguf", "a-b.gguf"), ("C:\\x\\y.GGUF", "y.GGUF"), ("../../etc/..gguf", "gguf"), ("日本.gguf", "日本.gguf"),
        ("<script>.gguf", "script-.gguf"), ("x" * 300 + ".gguf", "x" * 91 + ".gguf"), ("a\x00\u202eb.gguf", "a-b.gguf"),
    ],
)  # fmt: skip
def test_names(file: str, name: str) -> None:
    if not name.casefold().endswith(".gguf"):
        with pytest.raises(BadReference):
            plain(file)
    else:
        assert plain(file) == name
