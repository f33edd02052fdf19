"""What `gair tile` is given, found and described as scenes: one kind of input a module."""
