"""A deployment as files for what runs it: Kubernetes, Compose, podman's quadlet, systemd, Caddy, vLLM's production stack.

A file is text and names what it needs: an image, a repository, a secret. It never holds a key.
"""
