"""Models by the interfaces of AWS: Bedrock, its Converse, SageMaker."""
