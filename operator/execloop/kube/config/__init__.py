"""How to reach a cluster: kubeconfig, credentials, TLS, proxies."""
