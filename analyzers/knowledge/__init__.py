"""What is known of libraries, one YAML file a domain."""
