"""Receives what vendors' webhooks tell: an HTTP server, and what every vendor's verifier promises."""
