resource "aws_ecs_task_definition" "service" {
  family                = "service"
  container_definitions = <<DEFINITION
[
  {
    "name": "first",
    "image": "wordpress:6.6",
    "cpu": 10
  },
  {
    "name": "second",
    "image": "${var.image}"
  }
]
DEFINITION
}
variable "image" {
  default = "mysql:8.4"
}
