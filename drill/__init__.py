"""The drill: breaks everything under load, by a seed, and checks every promise afterwards."""
