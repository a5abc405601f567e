"""Who is told, when and how. Never decides whether something is wrong."""
