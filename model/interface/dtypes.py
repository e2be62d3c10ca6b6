"""What numbers a network is driven or taught in, by name. No torch."""

AUTO = "auto"
"""bfloat16 where the device has matrix units for it, float32 elsewhere."""

DTYPE_CHOICES = (AUTO, "float32", "bfloat16")
