variable "redis_version" {
  type    = string
  default = "7-alpine"
}
variable "worker_image" {
  default = "acme/worker:1"
}
variable "missing" {}
locals {
  base = { essential = true }
}
