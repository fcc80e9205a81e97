"""The sheets of a workbook, one module each; `reports/workbook.py` puts them in order."""
