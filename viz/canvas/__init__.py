"""The picture on screen: where it lies, what is drawn over it, what the mouse does to it."""
