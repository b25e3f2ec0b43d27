"""What is known of predicted videos, computed: their tables as traces, and the verbs that draw them."""
