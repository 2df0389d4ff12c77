"""Columns of what filters compare: filters, counts and facets in memory, from a file that is mapped."""
