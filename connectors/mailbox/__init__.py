"""Mailboxes as sources: IMAP servers, mbox files, Maildir folders and folders of single mails."""
