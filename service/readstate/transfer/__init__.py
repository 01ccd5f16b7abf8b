"""Export and import: a store's users and rooms as a file of lines (docs/export-and-import.md)."""
