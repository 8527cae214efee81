"""The backends that ship with bigfast, each found by entry point as anybody's would be."""
