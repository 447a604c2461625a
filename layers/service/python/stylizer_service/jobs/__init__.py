"""Job lifecycle: claiming, finishing, reconciliation, retention and deletion."""
