"""The guided tour, which is a session."""
