"""What the page knows of Plans: summaries of all, and pictures drawn from one."""
