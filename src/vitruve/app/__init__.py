"""The web app: pages over the public API, jobs and files. A page is a module of ``pages``."""
