"""Models as files: their description, their catalogue, and safetensors in and out."""
