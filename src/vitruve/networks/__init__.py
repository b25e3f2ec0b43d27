"""Building blocks of networks: backbones behind one contract, heads."""
