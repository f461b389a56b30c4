"""The engine: plans, tasks, runs and executions. Standard library only; `execloop` offers its public names."""
