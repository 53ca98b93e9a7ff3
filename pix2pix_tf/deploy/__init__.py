"""From weights to users: pictures, SavedModels, names of foreign weights."""
