"""PST and OST files, read block by block; and their items as TNEF, so that each is a record of its own."""
