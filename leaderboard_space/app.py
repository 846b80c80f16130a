"""The leaderboard of igbo-align as a Gradio Space; `python app.py` runs it locally."""

from __future__ import annotations

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # nothing is sent anywhere

from igbo_space.bundled_package import provide_package

provide_package()

from igbo_space.serving import serve

if __name__ == "__main__":
    serve()
