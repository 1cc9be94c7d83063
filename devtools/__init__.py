"""What makes and measures the product and no running service imports: simulator, demonstration, benchmarks."""
