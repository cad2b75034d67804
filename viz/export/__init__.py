"""Films and pictures as files: what is photographed, frame by frame, and how it is encoded."""
