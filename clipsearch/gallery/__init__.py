"""Show stored pictures: details, duplicates, clusters, heat maps, contact sheets."""
