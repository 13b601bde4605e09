"""What strangers may have written: read within limits, held against what it should be, never run."""
