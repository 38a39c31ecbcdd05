"""Where the data of somebody's config lie."""
