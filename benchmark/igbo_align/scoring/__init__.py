"""From a submission to scores, and from scores to a leaderboard. Scores are derived, never submitted."""
