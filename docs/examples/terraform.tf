# The gate for Terraform: a stack that exists as soon as the image does, in front of the task definition.
variable "image_tag" {
  type        = string
  description = "The tag that the build pushes, such as the commit."
}

resource "aws_ecr_repository" "shop" {
  name                 = "shop"
  image_tag_mutability = "IMMUTABLE"
}

resource "aws_cloudformation_stack" "image" {
  name               = "shop-image"
  template_body      = file("${path.module}/gate.yaml")
  timeout_in_minutes = 65

  parameters = {
    RepositoryName = aws_ecr_repository.shop.repository_url
    ImageTag       = var.image_tag
    Platforms      = "linux/amd64"
  }
}

resource "aws_ecs_task_definition" "shop" {
  family                   = "shop"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512

  container_definitions = jsonencode([{
    name      = "shop"
    image     = aws_cloudformation_stack.image.outputs["ImageUri"]
    essential = true
  }])
}
