from aws_cdk import aws_ecs as ecs
image = ecs.ContainerImage.from_registry("amazon/amazon-ecs-sample")
other = ecs.ContainerImage.from_registry(os.environ.get("IMAGE", "httpd:2.4"))
