"""The network of ``modeling_linkvla`` laid out for speed: the same weights, the same results, fewer, larger steps."""
