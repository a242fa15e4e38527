"""Views: actions and states in, text out; none of them knows another, and none can hurt a run."""
