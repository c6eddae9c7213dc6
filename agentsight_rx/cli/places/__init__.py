"""Files of the user: configuration, recordings, session files of agents."""
