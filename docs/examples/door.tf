# A service whose deployments are looked at before their first task (docs/door.md). The pullsafe stack has AnswerHooks=true.
#
# The AWS provider's own block for hooks took Lambda hooks only when this was written. Where yours has no pause hooks yet, the service gets its
# hook after it has been created, by the command line, and the provider is told to leave it there.
resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = var.cluster
  task_definition = var.task_definition
  desired_count   = 2
  launch_type     = "FARGATE"

  network_configuration {
    subnets = var.subnets
  }

  lifecycle {
    ignore_changes = [deployment_configuration]
  }
}

resource "terraform_data" "door" {
  input = "${aws_ecs_service.web.cluster}/${aws_ecs_service.web.name}"

  provisioner "local-exec" {
    command = "pullsafe protect ${self.input}"
  }
}

variable "cluster" { type = string }

variable "task_definition" { type = string }

variable "subnets" { type = list(string) }
