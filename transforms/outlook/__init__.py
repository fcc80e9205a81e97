"""Outlook's own formats (`.msg` files, TNEF) turned into mails as RFC 5322 knows them."""
