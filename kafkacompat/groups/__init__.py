"""Group coordinators: pure machines over the records of `__consumer_offsets`."""
