"""The pages of the leaderboard. What they show is computed by the package igbo_align."""
