"""The report of the laws: one page for a browser, tables for a terminal and for Markdown."""
