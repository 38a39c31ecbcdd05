"""Where the dashboard begins."""
