"""Everything that speaks to something outside: one module or package per system."""
