"""What several commands ask alike: options as frozen values, each with the noun that it stands for."""
