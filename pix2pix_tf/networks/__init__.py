"""What is learned: generators and discriminators."""
