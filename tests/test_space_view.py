"""What the Space shows for a view, without a browser."""

from __future__ import annotations

import copy
import csv
import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from igbo_align.cli import space as cli_space
from igbo_align.cli.app import run
from igbo_align.problems import ProblemsFound
from igbo_align.report.pair_names import pair_names
from igbo_space import source
from igbo_space.audio import players
from igbo_space.board_table import board_csv, board_html, board_json
from igbo_space.columns import COLUMNS, millions, place_text
from igbo_space.compare_page import compare_html
from igbo_space.evidence_page import evidence_html
from igbo_space.labels import LANGUAGES, label
from igbo_space.records import family_of, is_open, records_of
from igbo_space.source import Settings, load
from igbo_space.system_page import bibtex, system_html
from igbo_space.view import View, chosen_records, parse_view

SPACE = Path(__file__).resolve().parent.parent / "leaderboard_space"


@pytest.fixture(scope="module")
def shown():
    return load(Settings())


@pytest.mark.parametrize(
    "view",
    [
        View(),
        View(tab="compare", track="hard", direction="text_to_speech", first="a__b/1", second="c__d/2"),
        View(search="ị ọ & =?#%", status=("verified",), family=("whisper", "mms"), open=True, reverse=True),
        View(columns=("system", "mrr"), sort="date", size="over 1 B", lang="ig"),
    ],
)
def test_a_link_reproduces_the_view(view):
    assert parse_view(dict(parse_qsl(view.query(), keep_blank_values=True))) == view


def test_a_default_view_has_a_short_address():
    assert View().query() == ""
    assert View(track="paper").query() == "track=paper"


@pytest.mark.parametrize(
    "query",
    [
        {"track": "x"},
        {"sort": "__class__"},
        {"columns": "a,b"},
        {"lang": ""},
        {"tab": "../"},
        {"status": ",,"},
        {"n": "1"},
    ],
)
def test_what_an_address_should_not_hold_is_as_by_default(query):
    assert parse_view(query) == View()


def test_filters(shown):
    every = chosen_records(shown.records, View())
    assert len(every) == len(shown.records)
    assert [record.name for record in every] == shown.board.ordered("heldout")
    assert chosen_records(shown.records, View(reverse=True)) == every[::-1]
    assert {r.card["alignment"]["trained_on_pairs"] for r in chosen_records(shown.records, View(trained="none"))} == {
        "none"
    }
    assert chosen_records(shown.records, View(size="over 1 B")) == []
    assert len(chosen_records(shown.records, View(search="RIDGE stats"))) == 1
    assert chosen_records(shown.records, View(status=("verified",))) == []
    assert len(chosen_records(shown.records, View(family=("whisper",)))) == len(every)


@pytest.mark.parametrize("name", COLUMNS)
def test_every_column_sorts_and_is_shown(shown, name):
    view = View(sort=name, columns=("system", name))
    assert f'data-sort="{name}"' in board_html(shown, view)
    assert len(chosen_records(shown.records, view)) == len(shown.records)


def test_downloads_hold_what_is_shown(shown):
    view = View(search="baselines/ridge", track="paper")
    rows = list(csv.DictReader(io.StringIO(board_csv(shown, view))))
    document = json.loads(board_json(shown, view))
    assert [row["submission"] for row in rows] == [row["submission"] for row in document["rows"]]
    assert len(rows) == 2
    assert float(rows[0]["recall@1"]) == document["rows"][0]["recall@1"]
    assert document["benchmark"]["fingerprint"] == shown.release.fingerprint
    assert board_csv(shown, View(search="no such system")) == ""


def test_words():
    assert place_text((1, 3)) == "1–3"
    assert place_text((4, 4)) == "4"
    assert [millions(n) for n in (None, 12, 39_000_000, 1_540_000_000)] == ["–", "12", "39 M", "1.54 B"]
    assert family_of("openai/whisper-tiny.en") == "whisper"
    assert family_of("facebook/w2v-bert-2.0") == "w2v-bert"
    assert family_of("me/thing-3") == "thing"
    for licence in ("MIT", "apache-2.0", "CC-BY-SA-3.0", "cc0-1.0"):
        assert is_open(licence)
    for licence in ("CC-BY-NC-4.0", "proprietary", "research only", "unknown"):
        assert not is_open(licence)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_label_has_words(language):
    held = json.loads((SPACE / "igbo_space" / "strings.json").read_text(encoding="utf-8"))
    assert all(label(key, language).strip() for key in held["labels"])
    assert held["reviewed_by"] is None, "say who reviewed the Igbo labels in docs/space.md too"


@pytest.mark.parametrize("settings", [Settings(board="/no/such/file.json"), Settings(release="no-org/no-such-dataset")])
def test_without_the_hub_the_snapshot_is_shown_and_said(settings):
    shown = load(settings)
    assert len(shown.records) > 10
    assert shown.source.startswith("Bundled snapshot of the demo release")
    assert "cannot be shown" in shown.source


def test_settings_are_variables():
    assert Settings.of({}) == Settings()
    assert Settings.of({"IGBO_ALIGN_DATASET": "org/name@1"}).is_hub
    assert not Settings.of({"IGBO_ALIGN_DATASET": "demo", "IGBO_ALIGN_BOARD": "b.json"}).is_hub


def test_the_app_holds_no_token_and_unpickles_nothing():
    for path in SPACE.rglob("*.py"):
        text = path.read_text(encoding="utf-8").lower()
        assert "hf_token" not in text
        assert "pickle" not in text


def test_space_starts_the_app_with_the_board_of_a_folder(monkeypatch, tmp_path):
    started = {}

    def pretend(app, env):
        started.update(app=app, env=env, board=Path(env["IGBO_ALIGN_BOARD"]).read_text())
        return 0

    monkeypatch.setattr(cli_space, "_served", pretend)
    shutil.copytree(SPACE.parent / "submissions" / "baselines__ridge", tmp_path / "baselines__ridge")
    assert run(["space", "--submissions", str(tmp_path), "--port", "7999"]) == 0
    assert started["app"] == SPACE / "app.py"
    assert started["env"]["GRADIO_SERVER_PORT"] == "7999"
    assert '"submission": "baselines__ridge/1"' in started["board"]


def test_space_ends_as_the_app_ends_and_shows_the_board_of_the_release(monkeypatch):
    started = {}

    def pretend(app, env):
        started.update(env)
        return 7

    monkeypatch.setattr(cli_space, "_served", pretend)
    monkeypatch.delenv("IGBO_ALIGN_BOARD", raising=False)
    assert run(["space", "--release", "org/name@main"]) == 7
    assert started["IGBO_ALIGN_DATASET"] == "org/name@main"
    assert started["GRADIO_SERVER_PORT"] == "7860"
    assert "IGBO_ALIGN_BOARD" not in started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_app_ends_with_the_command(number, tmp_path):
    app = "import os, pathlib, time; pathlib.Path('pid.new').write_text(str(os.getpid()))\n"
    (tmp_path / "app.py").write_text(f"{app}os.rename('pid.new', 'pid'); time.sleep(600)\n")
    code = (
        "import sys; from pathlib import Path; from igbo_align.cli import app, space\n"
        "space._FOLDERS = (Path(),); sys.exit(app.run(['space']))"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL) as command:
        until((tmp_path / "pid").exists)
        pid = int((tmp_path / "pid").read_text())
        command.send_signal(number)
        assert command.wait(20) == (143 if number == signal.SIGTERM else 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def until(holds, seconds=30.0):
    """Wait for what another process does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_space_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert run(["space"]) == 4
    monkeypatch.setattr(cli_space, "_FOLDERS", ())
    with pytest.raises(ProblemsFound) as caught:
        cli_space.app_folder()
    assert caught.value.problems[0].code == "folder.missing"


def test_a_published_space_finds_the_wheel_beside_it(tmp_path):
    """Nothing is installed: the package comes out of the wheel."""
    shutil.copytree(SPACE, tmp_path / "space", ignore=shutil.ignore_patterns("__pycache__"))
    package = SPACE.parent / "benchmark"
    with zipfile.ZipFile(tmp_path / "space" / "igbo_align-0.1.0-py3-none-any.whl", "w") as wheel:
        for path in sorted(package.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                wheel.write(path, path.relative_to(package))
    code = (
        "import sys; sys.path = [p for p in sys.path if not (p.endswith('benchmark'))]; sys.path.insert(0, sys.argv[1])\n"
        "import igbo_space.bundled_package as b\n"
        "real = b.importlib.util.find_spec\n"
        "b.importlib.util.find_spec = lambda name: None\n"
        "b.provide_package()\n"
        "b.importlib.util.find_spec = real\n"
        "import igbo_align; from igbo_space.source import Settings, load\n"
        "print(igbo_align.__file__); print(len(load(Settings()).records))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "space")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where, count = done.stdout.split()
    assert "igbo-align-" in where
    assert int(count) > 10


def test_the_status_filter_knows_the_papers_figures(shown):
    assert 'class="of-paper"' in board_html(shown, View(track="paper"))
    assert 'class="of-paper"' not in board_html(shown, View(track="full"))
    assert 'class="of-paper"' not in board_html(shown, View(track="paper", status=("scored",)))
    only = board_html(shown, View(track="paper", status=("reported",)))
    assert 'class="of-paper"' in only
    assert "No system fits" in only


def test_recordings_are_heard_where_the_release_holds_them(shown, tmp_path):
    worst = next(iter(shown.records.values())).row["diagnostics"]["worst"]["speech_to_text"]
    sounds = [b"RIFF....WAVE", b"ID3 mp3", b"<script>alert(1)</script>", None]
    rows = [
        {"id": item["id"], "audio": {"bytes": data, "path": None}} for item, data in zip(worst, sounds, strict=False)
    ]
    (tmp_path / "audio").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "audio" / "train.parquet")
    heard = players(replace(shown.release, folder=tmp_path), [item["id"] for item in worst])
    assert sorted(heard) == sorted(item["id"] for item in worst[:2])
    assert "data:audio/wav;base64," in heard[worst[0]["id"]]
    assert "data:audio/mpeg;base64," in heard[worst[1]["id"]]
    assert players(shown.release, [worst[0]["id"]]) == {}


def test_pairs_are_named_alike_on_every_page(shown):
    names = pair_names(shown.release)
    view = View(first="baselines__attentive/1", second="baselines__cca/1", system="baselines__ridge/1")
    for page in (compare_html(shown, view), system_html(shown, view)):
        assert sum(f">{name}<" in page for name in names) > 10


def test_a_pair_is_named_by_its_words_or_else_by_its_length(shown):
    pairs = shown.release.pairs.slice(0, 3)
    columns = {"text": [None, None, "ọ" * 61], "n_words": [1, 2, 1], "duration_s": [0.54, 1.0, 2.0]}
    for name, values in columns.items():
        at = pairs.schema.get_field_index(name)
        pairs = pairs.set_column(at, pairs.schema.field(at), pa.array(values, pairs.schema.field(at).type))
    ids = shown.release.ids
    assert pair_names(replace(shown.release, pairs=pairs, pools={})) == [
        f"1 word, 0.5 s ({ids[0]})",
        f"2 words, 1.0 s ({ids[1]})",
        f"{'ọ' * 59}… ({ids[2]})",
    ]


def test_a_citation_holds_no_braces_of_strangers(shown):
    record = next(iter(shown.records.values()))
    card = {**record.card, "submitter": "a } \\input{x} {", "system": {**record.card["system"], "url": "https://a.b/}"}}
    text = bibtex(replace(record, row={**record.row, "card": card}))
    assert text.count("{") == text.count("}")
    assert "\\input" not in text
    assert text.startswith("@misc{baselines_attentive_1,")


def test_a_newer_board_of_the_hub_replaces_the_old_one_and_nothing_worse_does(monkeypatch, shown):
    answers = iter([OSError("away"), replace(shown, source="newer")])

    def wanted(_):
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(source, "load", lambda _: shown)
    monkeypatch.setattr(source, "_wanted", wanted)
    held = source.Source(Settings(release="org/name"))
    held._reload()
    assert held.shown() is shown
    monkeypatch.setattr(source, "_FRESH_S", -1)
    held.shown()
    end = time.monotonic() + 5
    while held._shown is shown:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert held._shown.source == "newer"


def board_of(shown, rows):
    """The state of the app with other rows."""
    board = replace(shown.board, document={**shown.board.document, "rows": rows})
    return replace(shown, board=board, records=records_of(board))


@pytest.mark.parametrize("count", [0, 1])
def test_an_almost_empty_board_has_all_its_pages(shown, count):
    few = board_of(shown, shown.board.document["rows"][:count])
    for draw in (board_html, evidence_html, compare_html, system_html):
        assert "class=" in draw(few, View())
    assert board_csv(few, View()).count("\n") == (2 if count else 0)


def test_a_system_without_vectors_has_a_page(shown):
    row = copy.deepcopy(shown.board.document["rows"][0])
    row["diagnostics"] |= {"geometry": None, "correlations": [], "slices": []}
    del row["diagnostics"]["variants"]["centred"]
    row["similarity"]["welch"] = {"t": None, "df": None, "p": None}
    row["card"]["alignment"]["transductive"] = "Sinkhorn"
    page = system_html(board_of(shown, [row]), View())
    assert "undefined" in page
    assert "Sinkhorn" in page
    assert "Linear CKA" not in page
