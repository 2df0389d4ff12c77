"""Turn a query into hits."""
