"""Pull requests that add submissions: what the review says of good ones, and how it refuses everything else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import igbo_align as ia
import numpy as np
import pytest
from hostile_strings import STRINGS
from hypothesis import example, given, settings
from hypothesis import strategies as st
from igbo_align.problems import Problem, ProblemsFound
from igbo_align.scoring.receipt import write_receipt
from igbo_align.submission.intake import take_in
from markdown_it import MarkdownIt
from post_review import read_review
from proposed_changes import MAX_FILE_BYTES, read_proposal, submission_of
from review_markdown import MAX_CHARACTERS, code, page, problem_section
from review_submissions import review

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / ".github/scripts/review_submissions.py"
STORED = ("ridge", "zero-shot", "random")
HOSTILE = "`` | [x](javascript:1) <img src=x onerror=1> @everyone #1 https://example.org ```"
AUTHOR = {f"GIT_{who}_{what}": "tests@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Clone:
    """A git repository with three submissions on `main`, in which branches are proposed."""

    def __init__(self, folder):
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")
        for name in STORED:
            for file in ("submission.json", "embeddings.parquet", "scores.json"):
                source = ROOT / f"submissions/baselines__{name}/1" / file
                self.write(f"submissions/baselines__{name}/1/{file}", source.read_bytes())
        self.write("README.md", b"# Benchmark\n")
        self.commit("base")

    def git(self, *arguments):
        environment = os.environ | AUTHOR | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        command = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    def write(self, path, data):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def commit(self, message):
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--message", message)

    def propose(self, change):
        """Commit what a function does to the folder on a branch of its own, and go back to `main`."""
        self.git("checkout", "--quiet", "-B", "proposal")
        change(self)
        self.commit("proposal")
        self.git("checkout", "--quiet", "--force", "main")
        return read_proposal(self.folder, "main", "proposal")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return Clone(tmp_path_factory.mktemp("clone"))


def card_of(name, **parts):
    """The card of a baseline as somebody else's submission."""
    card = json.loads((ROOT / f"submissions/baselines__{name}/1/submission.json").read_text())
    return card | {"system": card["system"] | {"org": "me", "name": name, "revision": "1"}} | parts


def add(name, vectors=None, *, receipt=False, folder=None, **parts):
    """A change that adds the vectors of a baseline under another name."""

    def change(clone):
        place = f"submissions/{folder or f'me__{name}/1'}"
        source = ROOT / f"submissions/baselines__{name}/1/embeddings.parquet"
        clone.write(f"{place}/embeddings.parquet", source.read_bytes() if vectors is None else vectors)
        clone.write(f"{place}/submission.json", json.dumps(card_of(name, **parts)).encode())
        if receipt:
            release = ia.load_release("demo")
            write_receipt(clone.folder / place, ia.score(take_in(clone.folder / place, release), release))

    return change


def all_of(*changes):
    def change(clone):
        for one in changes:
            one(clone)

    return change


def tampered(clone):
    """The receipt of somebody who wishes."""
    path = clone.folder / "submissions/me__procrustes/1/scores.json"
    document = json.loads((ROOT / "submissions/baselines__procrustes/1/scores.json").read_text())
    document["tracks"]["heldout"]["speech_to_text"]["mrr"]["value"] = 1
    path.write_text(json.dumps(document))


@pytest.fixture(scope="module")
def good(clone, demo):
    """One review of three submissions: an honest one, one with a made-up receipt, and a copy of a stored one."""
    honest = add("cca", receipt=True, alignment={"method": HOSTILE, "trained_on_pairs": "train"})
    proposal = clone.propose(all_of(honest, add("procrustes"), tampered, add("ridge")))
    text, well = review(proposal, demo)
    return text, well


def section(text, name):
    """What a review says of one submission."""
    return text.split(f"### `{name}`: can be scored\n")[1].split("\n### ")[0]


def rank_row(text, track):
    return next(line for line in text.splitlines() if line.startswith(f"| {track} | ")).strip("| ").split(" | ")


def test_an_honest_submission_has_its_rank_scores_and_receipt(good, demo):
    text = section(good[0], "me__cca/1")
    scores = ia.score(take_in(ROOT / "submissions/baselines__cca/1", demo), demo)
    _, rank, mrr, ties = rank_row(text, "heldout")
    assert (rank, ties) == ("1", "nobody")
    assert mrr.split()[0] == f"{scores.mean_mrr('heldout'):.3f}"
    for direction, words in (("speech_to_text", "speech to text"), ("text_to_speech", "text to speech")):
        held = scores.tracks["full"][direction]
        shown = [held[metric] for metric in ("recall@1", "recall@5", "recall@10", "mrr")]
        cells = " | ".join(f"{item.value:.3f} [{item.low:.3f}, {item.high:.3f}]" for item in shown)
        assert f"| full | {words} | {cells} | {held['mrr'].chance:.3f} |" in text
    assert "Rank among 6 systems" in text
    assert "Receipt: the same bytes as scoring writes." in text
    assert "- trained on pairs: `train`" in text
    assert "Flags" not in text


def test_a_copy_shares_the_rank_of_its_original_and_is_flagged(good):
    text = section(good[0], "me__ridge/1")
    assert rank_row(text, "heldout")[3] == "`baselines__ridge/1`"
    assert "flag.same_as  found the vectors of baselines__ridge/1" in text
    assert "Receipt: none. `igbo-align score SUBMISSION --json > SUBMISSION/scores.json` writes it." in text


def test_a_made_up_receipt_is_a_problem(good):
    text, well = good
    assert not well
    assert "Receipt: **not what scoring writes**." in section(text, "me__procrustes/1")
    problems = text.split("### `me__procrustes/1`: its receipt differs\n")[1]
    assert "scores.mismatch  scores.json/tracks\n  found     1 at /heldout/speech_to_text/mrr/value" in problems
    assert text.startswith("## Review of 3 submissions: there are problems\n\n> This is not Igbo")


def test_all_of_it_may_be_posted_and_nothing_of_a_card_is_active(good, tmp_path):
    text = good[0]
    (tmp_path / "review.md").write_text(text)
    assert read_review(tmp_path) == text
    html = MarkdownIt("commonmark").enable("table").render(text)
    tags = set(re.findall(r"<(\w+)", html))
    assert tags <= {"h2", "h3", "p", "blockquote", "ul", "li", "strong", "code", "pre"} | {
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    }
    outside = re.sub(r"<code[^>]*>.*?</code>", "", html, flags=re.DOTALL)
    assert "everyone" in html
    assert not re.search(r"everyone|javascript|onerror|example", outside)


def test_the_first_submission_of_all_has_the_first_rank_and_nothing_wrong(clone, demo):
    clone.git("checkout", "--quiet", "--orphan", "empty")
    clone.git("rm", "-r", "--quiet", "--cached", "submissions")
    shutil.rmtree(clone.folder / "submissions")
    clone.commit("empty")
    add("cca", receipt=True)(clone)
    clone.commit("first")
    clone.git("checkout", "--quiet", "--force", "main")
    text, well = review(read_proposal(clone.folder, "empty~0", "empty"), demo)
    assert text.startswith("## Review of 0 submissions: nothing is wrong\n")
    text, well = review(read_proposal(clone.folder, "empty~1", "empty"), demo)
    assert well
    assert text.startswith("## Review of 1 submission: nothing is wrong\n")
    assert rank_row(text, "paper")[1] == "1"
    assert "Rank among 1 systems" in text


def edit_vectors(clone):
    clone.write("submissions/baselines__ridge/1/embeddings.parquet", b"other vectors")


def remove(clone):
    shutil.rmtree(clone.folder / "submissions/baselines__ridge")


def add_verification(clone):
    clone.write("submissions/baselines__ridge/1/verification.json", b"{}")


def link(clone):
    add("cca")(clone)
    path = clone.folder / "submissions/me__cca/1/embeddings.parquet"
    path.unlink()
    path.symlink_to("/etc/passwd")


def executable(clone):
    add("cca")(clone)
    (clone.folder / "submissions/me__cca/1/submission.json").chmod(0o755)


def linked_folder(clone):
    place = clone.folder / "submissions/me__cca/1"
    place.parent.mkdir()
    place.symlink_to("../baselines__ridge/1")


def submodule(clone):
    add("cca")(clone)
    clone.git("update-index", "--add", "--cacheinfo", f"160000,{clone.git('rev-parse', 'main').strip()},x")
    mode = f"160000,{clone.git('rev-parse', 'main').strip()},submissions/me__cca/1/seeds.json"
    (clone.folder / "submissions/me__cca/1/seeds.json").mkdir()
    clone.git("update-index", "--add", "--cacheinfo", mode)


def write(path, data=b"x"):
    return lambda clone: clone.write(path, data)


def odd_name(clone):
    path = clone.folder / os.fsdecode(b"submissions/me__\xff/1/a\nb|`@all.json")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{}")


PLACE = "submissions/me__cca/1"
REFUSED = {
    "vectors are edited": (edit_vectors, "submission.exists", "baselines__ridge/1"),
    "a submission is removed": (remove, "submission.exists", "baselines__ridge/1"),
    "a file is added to a stored one": (add_verification, "submission.exists", "baselines__ridge/1"),
    "only capitals differ": (write("submissions/Baselines__RIDGE/1/submission.json"), "submission.exists", "Baselines"),
    "two differ in capitals": (
        all_of(write("submissions/a__b/1/submission.json"), write("submissions/a__B/1/submission.json")),
        "submission.exists",
        "a__b/1",
    ),
    "a link": (link, "file.not_regular", "embeddings.parquet"),
    "a link in place of the folder": (linked_folder, "folder.extra", "submissions/me__cca/1"),
    "a file that may run": (executable, "file.not_regular", "submission.json"),
    "another repository": (submodule, "file.not_regular", "seeds.json"),
    "a huge file": (write(f"{PLACE}/embeddings.npz", bytes(MAX_FILE_BYTES + 1)), "file.too_large", "5000001 bytes"),
    "a receipt of verification": (all_of(add("cca"), write(f"{PLACE}/verification.json")), "folder.extra", "verif"),
    "an unknown file": (all_of(add("cca"), write(f"{PLACE}/run.sh")), "folder.extra", "run.sh"),
    "a folder within": (all_of(add("cca"), write(f"{PLACE}/more/x.json")), "folder.extra", "more/x.json"),
    "no revision": (write("submissions/me__cca/submission.json"), "folder.extra", "1 change"),
    "no organisation": (write("submissions/cca/1/submission.json"), "folder.extra", "submissions/cca/1"),
    "code as well": (all_of(add("cca"), write("setup.py"), write(".github/x.yml")), "folder.extra", "2 changes"),
    "an odd name": (odd_name, "folder.extra", r"me__\udcff/1/a\nb|`@all.json"),
    "no numbers": (add("cca", vectors=b"PAR1 and no more"), "file", "embeddings.parquet"),
    "a card of another name": (add("cca", folder="me__other/1"), "card.schema", "me__cca/1"),
    "a wrong card": (add("cca", submitter=""), "card.schema", "submission.json/submitter"),
    "another release": (
        add("cca", benchmark={"name": "demo", "version": "1.0", "fingerprint": "0" * 64}),
        "card.fingerprint",
        "0000",
    ),
    "a wrong spread over seeds": (
        all_of(add("cca"), write(f"{PLACE}/seeds.json", b"{}")),
        "file.corrupt",
        "seeds.json",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_new_submission_is_refused(name, clone, demo, monkeypatch):
    """Nothing is scored: what may be scored beside it was left out of the case, or is not reached."""
    change, expected_code, told = REFUSED[name]
    proposal = clone.propose(change)
    monkeypatch.setattr("review_submissions.build_leaderboard", lambda *_: pytest.fail("scored"))
    if name in {"a folder within", "code as well"}:  # beside a good one: the whole pull request is refused
        assert [item.code for item in proposal.problems()] == [expected_code]
        assert told in proposal.problems()[0].found
        return
    text, well = review(proposal, demo)
    assert not well
    blocks = re.findall(r"(?:\A|\n)(`{3,})text\n(.*?)\n\1", text, flags=re.DOTALL)
    assert any(block.startswith(expected_code) and told in block for _, block in blocks), text


def test_a_problem_of_vectors_has_its_code(clone, demo, tmp_path):
    vectors = demo.embeddings("speech").astype(np.float32)
    vectors[3, 2] = np.nan
    np.savez(tmp_path / "x.npz", ids=np.array(demo.ids), speech=vectors, text=vectors)
    place = "submissions/me__cca/1"
    card = json.dumps(card_of("cca")).encode()
    files = all_of(write(f"{place}/embeddings.npz", (tmp_path / "x.npz").read_bytes()[:MAX_FILE_BYTES]))
    text, well = review(clone.propose(all_of(files, write(f"{place}/submission.json", card))), demo)
    assert not well
    assert "array.non_finite  speech\n  found     NaN or infinity in 1 rows" in text
    assert "  mend      Look at what the encoder returned for these pairs, and encode them again." in text


def test_nothing_of_a_refused_file_reaches_the_disk(clone, demo, monkeypatch):
    proposal = clone.propose(link)
    monkeypatch.setattr("proposed_changes.Proposal.write", lambda *_: pytest.fail("written"))
    assert not review(proposal, demo)[1]


def test_what_the_base_did_meanwhile_is_not_taken_for_a_change(clone):
    """The pull request left `main` before its newest commit; that commit is not its doing."""
    clone.git("checkout", "--quiet", "-B", "older")
    add("cca")(clone)
    clone.commit("proposal")
    clone.git("checkout", "--quiet", "-B", "newer", "main")
    clone.write("submissions/me__cca/1/submission.json", b"{}")
    clone.write("README.md", b"# Changed\n")
    clone.commit("newer base")
    proposal = read_proposal(clone.folder, "newer", "older")
    assert (list(proposal.folders), proposal.elsewhere) == (["me__cca/1"], [])
    assert [item.code for item in proposal.folder_problems("me__cca/1")] == ["submission.exists"]
    clone.git("checkout", "--quiet", "--force", "main")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("submissions/a__b/1/submission.json", "a__b/1"),
        ("submissions/a__b__c/1/x", "a__b__c/1"),
        ("submissions/a__b/../x", None),
        ("submissions/a__b/1/", None),
        ("submissions//a__b/1", None),
        ("submissions/a__b/1", None),
        ("submissions/__b/1/x", None),
        ("submissions/con__nul/nul/x", None),
        ("other/a__b/1/x", None),
        ("", None),
    ],
)
def test_paths_of_submissions(path, expected):
    assert submission_of(path) == expected


def test_as_a_command_it_prints_or_writes_and_exits(clone, tmp_path):
    clone.propose(edit_vectors)
    command = [sys.executable, str(SCRIPT), "--repository", str(clone.folder), "--base", "main", "--head"]
    done = subprocess.run([*command, "proposal"], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("## Review of 1 submission: there are problems\n")
    out = tmp_path / "review/review.md"
    again = subprocess.run([*command, "proposal", "--out", str(out)], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout, out.read_text()) == (1, "", done.stdout)
    wrong = subprocess.run([*command, "--upload-pack=x"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    with pytest.raises(ProblemsFound, match=r"git rev-parse: \[usage\] .* Fetch both, and name them"):
        read_proposal(clone.folder, "main", "nowhere")


def rendered(markdown):
    return MarkdownIt("commonmark").render(markdown)


@settings(max_examples=50)
@given(st.text(min_size=1))
@example(HOSTILE)
@example("`")
@example("a `` b")
@example("\n```\n@everyone\n```\n")
def test_code_shows_any_text_and_nothing_else(text):
    html = rendered(f"- label: {code(text)}\n")
    if text.split():
        assert re.fullmatch(r"<ul>\n<li>label: <code>[^<]*</code></li>\n</ul>\n", html)


@pytest.mark.parametrize("text", [*STRINGS, HOSTILE, "~~~\n```\n</code>"])
def test_problems_with_hostile_text_stay_in_their_block(text, tmp_path):
    found = page("1 submission", [problem_section("Title", [Problem("card.schema", text, text, text, text)])], "")
    html = rendered(found)
    assert len(re.findall(r"<pre>", html)) == 1
    assert set(re.findall(r"<(\w+)", html)) == {"h2", "h3", "pre", "code"}
    (tmp_path / "review.md").write_text(found)
    assert read_review(tmp_path) == found


def test_a_long_review_names_how_much_it_leaves_out():
    sections = [problem_section(f"{i}", [Problem("card.schema", "x", "y" * 1900, "z", "z")]) for i in range(60)]
    text = page("60 submissions", sections, "", MAX_CHARACTERS)
    left = int(re.search(r"(\d+) more sections are left out; the script prints them on any machine\.\n$", text)[1])
    assert MAX_CHARACTERS - 3000 < len(text) <= MAX_CHARACTERS
    assert text.count("### ") + left == 60
    assert page("60 submissions", sections, "").count("### ") == 60
