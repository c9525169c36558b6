"""Many events → one `Summary`: identity, ledger, pace, retries, rejects and the run itself."""
