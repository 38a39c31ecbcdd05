"""Statistics, leaderboard and regression check: pure functions over what the store holds."""
