"""The cellar: the only importer of redis."""
