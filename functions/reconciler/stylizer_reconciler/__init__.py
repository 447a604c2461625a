"""The reconciler: brings every job to a terminal state and delivers its webhook; see `lambda_handler`."""
