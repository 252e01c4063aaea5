"""The report: artifacts to numbers, numbers to one page that opens anywhere."""
