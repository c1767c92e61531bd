"""Plans by their number: the last answer, saved answers, commands; what is printed is printed alone."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

import gyakusan
from gyakusan.cli import main, saved
from gyakusan.engines.service_files import service
from gyakusan.planning.predict.capacity import find_capacity
from gyakusan.show import plan as show
from gyakusan.show.plan_details import details
from gyakusan.show.tree import Next

ASK = ("plan", "--device", "RTX 4090", "--families", "gemma3,qwen3-8b", "--lang", "en")


@pytest.fixture(autouse=True)
def homes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Folders of this test alone."""
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def test_a_number_alone_is_about_the_last_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(capsys, *ASK)[0] == 0
    code, line, err = asked(capsys, "plan", "--command", "1")
    assert (code, err) == (0, "")
    assert line.count("\n") == 1
    subprocess.run(["bash", "-n"], input=line, text=True, check=True)
    code, whole, _ = asked(capsys, *ASK, "--json")
    assert shlex.split(line)[0] == json.loads(whole)["plans"][0]["command"]["argv"][0]
    code, details, _ = asked(capsys, "plan", "--details", "1", "--lang", "en")
    assert code == 0
    assert details.startswith("Plan 1 of the question: RTX 4090, 1 person, 8,192 tokens")


def test_details_of_an_answer_for_colleagues_are_for_colleagues(capsys: pytest.CaptureFixture[str]) -> None:
    """They said: add --lan."""
    assert asked(capsys, *ASK, "--lan")[0] == 0
    _, details, _ = asked(capsys, "plan", "--details", "1", "--lang", "en")
    assert "for colleagues" not in details
    assert "0.0.0.0" in details
    assert asked(capsys, "plan", "--command", "1")[1] == asked(capsys, *ASK, "--lan", "--command", "1")[1]
    assert asked(capsys, *ASK)[0] == 0
    assert "this computer only" in asked(capsys, "plan", "--details", "1", "--lang", "en")[1]


@pytest.mark.parametrize("command", ["fleet", "upgrade"])
def test_a_number_after_another_commands_rows_says_whose_it_is(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    saved.asked_since(command)  # nothing was asked before: nothing to note
    assert not saved.last_path().exists()
    assert asked(capsys, *ASK)[0] == 0
    assert asked(capsys, "plan", "--command", "1")[2] == ""
    saved.asked_since(command)
    code, _, err = asked(capsys, "plan", "--command", "1", "--lang", "en")
    assert code == 0
    assert f"of the last gyakusan plan ({date.today()}), not of gyakusan {command}, which was asked since." in err
    assert asked(capsys, *ASK)[0] == 0
    assert asked(capsys, "plan", "--command", "1")[2] == ""


def test_the_last_answer_is_private_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    asked(capsys, *ASK)
    path = saved.last_path()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    path.write_text(path.read_text()[:40])
    code, out, err = asked(capsys, "plan", "--command", "1", "--lang", "en")
    assert (code, out) == (2, "")
    assert "no last answer" in err


def test_a_place_that_cannot_be_written_breaks_no_answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, homes: Path
) -> None:
    (homes / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(homes / "file"))
    code, out, err = asked(capsys, *ASK)
    assert (code, err) == (0, "")
    assert out.startswith("Run ")


def test_an_old_answer_and_another_one_are_said_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(capsys, *ASK)
    monkeypatch.setattr("gyakusan.cli.saved.today", lambda: date.today() + timedelta(days=8))
    _, out, err = asked(capsys, "plan", "--command", "1", "--lang", "en")
    assert out.count("\n") == 1
    assert "more than 7 days ago" in err
    assert "not those of" not in err
    found = json.loads(saved.last_path().read_text())
    found["plans"][0]["model"] = "another"
    saved.last_path().write_text(json.dumps(found))
    assert "The plans are not those of" in asked(capsys, "plan", "--command", "1", "--lang", "en")[2]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("number", ["0", "99", "-1"])
def test_a_number_that_no_row_has(capsys: pytest.CaptureFixture[str], number: str, language: str) -> None:
    asked(capsys, *ASK)
    code, out, err = asked(capsys, "plan", f"--command={number}", "--lang", language)
    assert (code, out) == (2, "")
    assert number in err


def test_a_saved_answer_is_asked_again(capsys: pytest.CaptureFixture[str], homes: Path) -> None:
    file = homes / "office.toml"
    _, shown, _ = asked(capsys, *ASK, "--users", "2", "--save", str(file))
    code, again, err = asked(capsys, "plan", str(file), "--lang", "en")
    assert (code, again, err) == (0, shown, "")
    assert "[[plans]]" in file.read_text()
    _, changed, _ = asked(capsys, "plan", str(file), "--users", "1", "--lang", "en")
    assert "1 person" in changed
    assert ", 1 person," in asked(capsys, "plan", "--details", "1", "--lang", "en")[1]  # the last answer is of the file
    code, _, err = asked(capsys, "plan", str(file), "--images", "--lang", "en")
    assert (code, err) == (0, "")  # an option changed the question, not the machine or the catalogue
    code, compared, err = asked(capsys, "compare", "--plan", str(file), "--lang", "en")
    assert (code, err) == (0, "")
    assert "office" in compared
    file.write_text(file.read_text().replace("model = ", "modell = "))
    assert asked(capsys, "plan", str(file), "--lang", "en")[0] == 2


def test_serve_takes_plan_1_of_a_saved_answer(capsys: pytest.CaptureFixture[str], homes: Path) -> None:
    file = homes / "office.toml"
    asked(capsys, *ASK, "--context", "16k", "--engine", "llama.cpp", "--save", str(file))
    model = saved.answer_in(file.read_text(), file.name)
    assert model is not None
    code, out, _ = asked(capsys, "serve", str(file), "--dry-run", "--json")
    found = json.loads(out)
    assert code in (0, 1)
    assert "--ctx-size 16384" in " ".join(found["command"])
    assert model.plans[0].engine == "llama.cpp"
    file.write_text('device = "RTX 3060 12GB"\nquality = 99\n')
    assert asked(capsys, "serve", str(file), "--dry-run", "--lang", "en")[0] == 2


@pytest.mark.parametrize(
    "options", [("--context", "16k"), ("--users", "2"), ("--device", "RTX 4090"), ("--set", "ubatch=64"), ("--cpu",)]
)
def test_no_option_changes_a_saved_plan(
    capsys: pytest.CaptureFixture[str], homes: Path, options: tuple[str, ...]
) -> None:
    file = homes / "office.toml"
    file.write_text('device = "RTX 4090"\nfamilies = "gemma3"\n')
    code, out, err = asked(capsys, "serve", str(file), "--dry-run", *options, "--lang", "en")
    assert (code, out) == (2, "")
    assert f"gyakusan: {options[0]} cannot change the plan in" in err


def test_a_saved_file_says_what_it_is_for(capsys: pytest.CaptureFixture[str], homes: Path) -> None:
    file = homes / "office.toml"
    assert "に保存しました" in asked(capsys, *ASK, "--save", str(file), "--lang", "ja")[2]
    assert "起動方法を表示します" in file.read_text().splitlines()[0]
    assert asked(capsys, *ASK, "--save", str(file), "--json")[2] == ""
    asked(capsys, *ASK, "--save", str(file), "--lang", "en")
    assert "gyakusan serve FILE --dry-run" in file.read_text().splitlines()[0]
    assert asked(capsys, "serve", str(file), "--lang", "en")[0] == 2  # the files of its model are not here
    assert asked(capsys, "serve", str(file), "--dry-run")[0] == 1


def test_ollama_says_what_its_client_runs(capsys: pytest.CaptureFixture[str]) -> None:
    asked(capsys, *ASK, "--engine", "ollama")
    code, line, err = asked(capsys, "plan", "--command", "1", "--lang", "en")
    assert code == 0
    assert line.rstrip().endswith("ollama serve")
    assert "Once the server listens: ollama pull" in err


def test_a_file_that_cannot_be_written_is_said(capsys: pytest.CaptureFixture[str], homes: Path) -> None:
    code, _, err = asked(capsys, *ASK, "--save", str(homes / "no" / "such.toml"))
    assert code == 3
    assert "cannot be written" in err


def test_lan_leaves_nothing_here_and_names_no_file_of_this_computer(
    capsys: pytest.CaptureFixture[str], homes: Path
) -> None:
    """`plan --budget --lan` named the key file of the computer that planned, for a machine that is still to buy."""
    asked(capsys, "plan", "--budget", "3000USD", "--brand", "NVIDIA", "--engine", "llama.cpp", "--lang", "en")
    for form in ("--command", "--details", "--compose", "--systemd"):
        code, out, err = asked(capsys, "plan", form, "1", "--lan", "--lang", "en")
        assert code == 0
        assert re.fullmatch(r"gyakusan: unencrypted: .*\n", err), form
        assert "0.0.0.0" in out
        assert str(homes) not in out
        assert str(Path.home()) not in out.replace("/root/.cache", "")
    assert not (homes / "xdg_config_home").exists()


@pytest.mark.parametrize("more", [(), ("--lan",)])
@pytest.mark.parametrize("kind", ["compose", "systemd"])
def test_a_file_is_the_one_that_export_writes(
    capsys: pytest.CaptureFixture[str], kind: str, more: tuple[str, ...]
) -> None:
    asked(capsys, *ASK)
    code, text, _ = asked(capsys, "plan", f"--{kind}", "1", *more)
    assert code == 0
    assert text == asked(capsys, "export", "1", "--to", kind, *more)[1]
    assert asked(capsys, "plan", f"--{kind}", "1", *more, "--no-ui", "--all-flags")[1] != text


@pytest.mark.parametrize("kind", ["compose", "systemd"])
def test_a_file_thinks_as_its_plan_does(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """Exported plans lost the option by which a model thinks as planned: their speed and their quality rest on it."""
    asked(capsys, "plan", "--device", "RTX 4090", "--families", "gpt-oss", "--engine", "llama.cpp")
    assert "reasoning_effort" in asked(capsys, "plan", "--command", "1")[1]
    assert "reasoning_effort" in asked(capsys, "export", "1", "--to", kind)[1]


@pytest.mark.parametrize(
    ("typed", "option"), [("RTX 4090", "--device"), ("2x RTX 3090", "--device"), ("qwen3-8b", "--model")]
)
def test_what_is_no_file_is_understood(capsys: pytest.CaptureFixture[str], typed: str, option: str) -> None:
    code, _, err = asked(capsys, "plan", typed, "--lang", "en")
    assert code == 2
    assert f'gyakusan plan {option} "{typed}"' in err


def test_a_question_without_a_plan_has_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = asked(
        capsys, "plan", "--device", "RTX 3060 12GB", "--quality", "99", "--command", "1", "--lang", "en"
    )
    assert code == 1
    assert out.startswith("No model of 99 points or more")


ODD = ["[]", "5", "null", "[" * 100_000, '{"saved": "2026-11-01", "plans": 5}', '{"saved": "2026-11-01", "plans": [5]}']
ODD += ['{"saved": "x", "plans": []}', '{"saved": "2026-11-01", "plans": [], "colour": 3}', " " * 5_000_001]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_an_odd_last_answer_is_none(capsys: pytest.CaptureFixture[str], text: str) -> None:
    saved.last_path().parent.mkdir(parents=True)
    saved.last_path().write_text(text)
    code, out, err = asked(capsys, "plan", "--command", "1", "--lang", "en")
    assert (code, out) == (2, "")
    assert "no last answer" in err


def test_a_pipe_is_no_last_answer(capsys: pytest.CaptureFixture[str]) -> None:
    saved.last_path().parent.mkdir(parents=True)
    os.mkfifo(saved.last_path())
    assert "no last answer" in asked(capsys, "plan", "--command", "1", "--lang", "en")[2]


def test_a_number_is_never_of_another_question(capsys: pytest.CaptureFixture[str], homes: Path) -> None:
    file = homes / "small.toml"
    asked(capsys, *ASK, "--engine", "ollama", "--save", str(file))
    asked(capsys, *ASK, "--engine", "llama.cpp")
    asked(capsys, "plan", str(file))
    assert "ollama serve" in asked(capsys, "plan", "--command", "1")[1]
    asked(capsys, "plan", "--device", "RTX 3060 12GB", "--quality", "99")
    assert "no last answer" in asked(capsys, "plan", "--command", "1", "--lang", "en")[2]


@pytest.mark.parametrize("text", ["my = 'notes'\n", "not toml", ""])
def test_a_file_of_another_kind_is_kept(capsys: pytest.CaptureFixture[str], homes: Path, text: str) -> None:
    file = homes / "notes.toml"
    file.write_text(text)
    code, _, err = asked(capsys, *ASK, "--save", str(file), "--lang", "en")
    assert code == 2
    assert "exists" in err
    assert file.read_text() == text


def test_a_saved_answer_is_saved_again_and_json_is_json(capsys: pytest.CaptureFixture[str], homes: Path) -> None:
    file = homes / "office.json"
    _, shown, _ = asked(capsys, *ASK, "--save", str(file))
    assert json.loads(file.read_text())["plans"]
    assert asked(capsys, "plan", str(file), "--lang", "en")[:2] == (0, shown)
    assert asked(capsys, *ASK, "--save", str(file))[0] == 0
    assert [p.name for p in homes.iterdir() if "office" in p.name] == ["office.json"]


def test_a_wrong_number_saves_nothing(capsys: pytest.CaptureFixture[str], homes: Path) -> None:
    assert asked(capsys, *ASK, "--command", "99", "--save", str(homes / "office.toml"))[0] == 2
    assert not (homes / "office.toml").exists()


def test_a_server_for_the_network_is_one_that_takes_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    mac = ("plan", "--device", "Mac Studio M4 Max 128GB", "--users", "4", "--families", "qwen3", "--lang", "en")
    assert "MLX-LM" in asked(capsys, *mac)[1]
    code, out, _ = asked(capsys, *mac, "--lan")
    assert (code, "MLX-LM" in out) == (0, False)
    assert "its server has no key: gyakusan serve adds one" in asked(capsys, *mac, "--engine", "mlx")[1]


def test_a_number_of_cards_to_buy_is_no_number_of_cards_owned(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = asked(capsys, *ASK, "--gpus", "3")
    assert (code, out) == (2, "")
    assert '--device "3x RTX 4090"' in err


def test_every_price_has_its_months_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    buy = ("plan", "--budget", "3000USD", "--users", "4", "--context", "32k", "--used", "--lang", "en")
    code, out, err = asked(capsys, *buy)
    assert (code, err) == (0, "")
    assert "Prices of " in out
    assert len(out.splitlines()) <= 24


@pytest.mark.parametrize("options", [("--command", "99", "--json"), ("--command", "1", "--csv"), ("--csv", "--json")])
def test_two_forms_of_one_answer_are_refused(options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--device", "RTX 4090", *options, "--lang", "en"]) == 2
    assert "were given together. Give one." in capsys.readouterr().err


def test_no_printed_command_is_open_to_the_network_without_a_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for view, key in (
        ("--command", "$(cat"),
        ("--details", "$(cat"),
        ("--compose", "-key.env"),
        ("--systemd", "EnvironmentFile="),
    ):
        code, out, _ = asked(capsys, *ASK, "--lan", view, "1")
        assert code == 0
        assert "0.0.0.0" in out
        assert key in out


def test_what_is_typed_after_the_details_keeps_the_network() -> None:
    answer = gyakusan.plan(device="RTX 4090", model="qwen3-8b")
    for lan in (False, True):
        plan = answer.plans[0]
        server = service(plan.deployment, plan.command, lan=lan)
        parts = details(answer, plan, 1, find_capacity(plan.deployment), server, date.today())
        (last,) = [p for p in parts if isinstance(p, Next)]
        assert [str(c).endswith(" --lan") for c in last.choices] == [lan] * 2


@pytest.mark.parametrize(("more", "told"), [((), False), (("--users", "3"), True), (("--users", "3", "--lan"), False)])
def test_the_network_is_proposed_where_it_helps(
    more: tuple[str, ...], told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan for one person told how colleagues would reach it, too."""
    shown = asked(capsys, *ASK, *more, "--details", "1")[1]
    assert ("for colleagues: gyakusan plan --command 1 --lan" in " ".join(shown.split())) is told


def test_what_is_typed_next_keeps_what_was_asked_for() -> None:
    answer = gyakusan.plan(device="RTX 4090", model="qwen3-8b")
    for lan, more in ((False, ""), (True, " --lan")):
        (last,) = [p for p in show.screen(answer, lan=lan) if isinstance(p, Next)]
        assert last.choices == (f"gyakusan plan --command 1{more}", f"gyakusan plan --details 1{more}")


@pytest.mark.parametrize("view", [("--max",), ("--what-if",), ("--all",), ("--why-not", "vllm")])
@pytest.mark.parametrize("form", ["--command", "--compose", "--systemd"])
def test_a_text_has_no_place_for_a_view(form: str, view: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--device", "RTX 4090", form, "1", *view, "--lang", "en"]) == 2
    assert f"{form} N, {view[0]} were given together." in capsys.readouterr().err


def test_a_plan_that_cannot_be_kept_leaves_no_older_one_under_its_numbers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert main(["plan", "--memory", "8GiB"]) == 0
    assert saved.last_path().exists()

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saved, "write_private", full)
    assert main(["plan", "--memory", "80GiB"]) == 0
    assert not saved.last_path().exists()
    capsys.readouterr()
    assert main(["plan", "--command", "1"]) == 2
    assert "There is no last answer" in capsys.readouterr().err


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("asked", [{"budget": "2000EUR"}, {"budget": "200000JPY", "used": True}], ids=str)
def test_a_long_answer_gives_up_rows_before_it_passes_a_screen(asked: dict[str, object], language: str) -> None:
    """They were 27 and 25 lines; the cheapest row stays."""
    from gyakusan.cli.options import Output
    from gyakusan.cli.plan_views import COLUMNS, LINES, _fitting
    from gyakusan.planning.request.parse_request import parse_request
    from gyakusan.planning.select.recommend import recommend
    from gyakusan.show.terminal import lines

    found = recommend(parse_request(asked))
    parts = _fitting(found, Output(lang=language), lan=False)  # type: ignore[arg-type]
    drawn = [line.plain for line in lines(parts, language, COLUMNS)]  # type: ignore[arg-type]
    assert len(drawn) <= LINES
    assert any({"en": "cheapest", "ja": "最安"}[language] in line for line in drawn)


def test_a_command_whose_program_is_not_here_names_what_starts_the_plan(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The command was printed alone, and a shell answered "llama-server: command not found"."""
    here = ("plan", "--families", "gemma3", "--engine", "llama.cpp", "--lang", "en")
    monkeypatch.setenv("PATH", str(tmp_path))
    code, line, err = asked(capsys, *here, "--command", "1")
    assert code == 0
    assert line.startswith("llama-server ")
    assert "llama-server is not on PATH of this computer" in err
    assert "gyakusan serve 1 starts" in err
    assert "is not on PATH" not in asked(capsys, *ASK, "--command", "1")[2], "another machine's PATH is not known"
    program = tmp_path / "llama-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    assert "is not on PATH" not in asked(capsys, *here, "--command", "1")[2]


def test_what_comes_next_is_a_command_that_runs_here() -> None:
    answer = gyakusan.plan(device="RTX 4090", model="qwen3-8b")
    for absent, first in ((True, "gyakusan serve 1"), (False, "gyakusan plan --command 1")):
        (told,) = [part for part in show.screen(answer, absent=absent) if isinstance(part, Next)]
        assert told.choices[0] == first
    (told,) = [part for part in show.screen(answer, absent=True, served=False) if isinstance(part, Next)]
    assert told.choices == ("gyakusan plan --details 1",)


def test_what_cannot_start_a_plan_is_not_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "xllamacpp", None)  # as where it is not installed
    code, line, err = asked(
        capsys, "plan", "--families", "gemma3", "--engine", "llama.cpp", "--lang", "en", "--command", "1"
    )
    assert code == 0
    assert line.startswith("llama-server ")
    assert "llama-server is not on PATH of this computer: gyakusan plan --details 1" in err
    assert "gyakusan serve" not in err


@pytest.mark.parametrize(
    ("pattern", "written", "told"),
    [
        (r"(?m)^saved = .*$", 'saved = "2099-01-01"', "was saved on 2099-01-01, which is yet to come"),
        (r"(?s)\n\[\[plans\]\].*", "plans = []\n", "holds an answer without a plan"),
        (r"(?m)^saved = .*$", 'saved = "soon"', "is not an answer that gyakusan saved"),
    ],
)
def test_a_saved_answer_that_was_spoilt_is_refused_with_the_reason(
    pattern: str, written: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.toml"
    assert main(["plan", "--device", "RTX 4090", "--save", str(file)]) == 0
    file.write_text(re.sub(pattern, written, file.read_text()))
    capsys.readouterr()
    assert main(["plan", str(file), "--lang", "en"]) == 2
    assert told in capsys.readouterr().err


def test_an_answer_of_an_earlier_version_and_one_that_was_edited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a currency the question is the same one; what was edited is not laid to the catalogue alone."""
    file = tmp_path / "a.toml"
    assert main(["plan", "--device", "RTX 4090", "--users", "2", "--save", str(file)]) == 0
    saved = file.read_text()
    file.write_text(re.sub(r"(?m)^currency = .*\n", "", saved))
    capsys.readouterr()
    assert main(["plan", str(file), "--lang", "en"]) == 0
    assert capsys.readouterr().err == ""
    file.write_text(saved.replace('users = "2"', "users = 3"))
    assert main(["plan", str(file), "--lang", "en"]) == 0
    assert "the machine, the catalogue or the file changed" in capsys.readouterr().err
