"""Moving an inbox or a helpdesk: plan, move, verify, reconcile, cut over."""
