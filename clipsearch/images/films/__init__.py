"""Read films: metadata, scenes, single frames, and films inside of photographs."""
