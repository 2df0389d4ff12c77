"""Read and write XMP packets and sidecars."""
