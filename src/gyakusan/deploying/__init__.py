"""Run a deployment on an engine that spans computers: Ray Serve. gyakusan invents no cluster of its own."""
