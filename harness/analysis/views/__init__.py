"""What the pages of the dashboard and of the report show: plain dataclasses made of results, one module per page."""
