"""What is left of a raw record when the person it is about is erased: its structure, and no word that anybody wrote."""
