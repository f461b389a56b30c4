"""The live page of the operator: what converges, what waits, why, and what to do, with each person's own rights.

The manager hands it a connection and the namespaces; it knows nothing of reconciles. It needs the extra `page`.
"""
