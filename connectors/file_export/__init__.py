"""File exports: CSV files that a helpdesk wrote, as a source."""
