"""What the engine runs on: time, alarms, threads. `executor`, `run` and `drivers` use them; tests bring a clock."""
