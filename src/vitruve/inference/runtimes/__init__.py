"""What carries a network out: one module a library, behind the interface of :mod:`vitruve.inference.runtimes.base`."""
