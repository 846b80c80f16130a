"""The page of the metric: two `.npy` matrices in, a table out; `python app.py` runs it locally."""

from __future__ import annotations

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # nothing is sent anywhere

from pathlib import Path

import evaluate
import gradio as gr

HERE = Path(__file__).parent
#: Enough for what a page is for; larger corpora are ranked by `igbo-align rank`.
MAX_PAIRS = 5000


def load_metric() -> evaluate.EvaluationModule:
    """The metric beside this file, whatever name it was published under."""
    scripts = [path for path in HERE.glob("*.py") if path.name != Path(__file__).name]
    return evaluate.load(str(scripts[0]))


def table(speech: str | None, text: str | None) -> list[list[str | float]]:
    """Metric, speech to text, text to speech of two files; every row is ranked among all rows.

    Raises:
        gradio.Error: what is wrong with the files.
    """
    from igbo_align.problems import ProblemsFound
    from igbo_align.submission.limits import Limits
    from igbo_align.submission.writing import read_matrix

    if not speech or not text:
        raise gr.Error("Choose both files.")
    try:
        matrices = [read_matrix(Path(file), Limits(MAX_PAIRS)) for file in (speech, text)]
        scores = METRIC.compute(predictions=matrices[0], references=matrices[1])
    except ProblemsFound as error:
        raise gr.Error(" ".join(item.message for item in error.problems)) from error
    first, second = "speech_to_text_", "text_to_speech_"
    names = [name.removeprefix(first) for name in scores if name.startswith(first)]
    return [[name, round(scores[first + name], 4), round(scores[second + name], 4)] for name in names]


def build() -> gr.Blocks:
    """The page."""
    with gr.Blocks(title="igbo-align retrieval") as page:
        gr.Markdown((HERE / "README.md").read_text(encoding="utf-8").split("---\n", 2)[2])
        with gr.Row():
            speech = gr.File(label="Speech vectors, .npy (n, d)", file_types=[".npy"])
            text = gr.File(label="Text vectors, .npy (n, d)", file_types=[".npy"])
        button = gr.Button("Score", variant="primary")
        result = gr.Dataframe(headers=["metric", "speech to text", "text to speech"], label="Among all rows")
        button.click(table, [speech, text], result, api_name="score")
    return page


METRIC = load_metric()

if __name__ == "__main__":
    build().launch()
