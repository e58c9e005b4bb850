# The packaged template as a stack: Terraform keeps the stack, and CloudFormation keeps what is in it.
data "aws_region" "here" {}

data "aws_partition" "here" {}

locals {
  files = var.release == null ? [] : setunion(fileset(var.release, "*.zip"), ["pullsafe.yaml"])
  host  = "${var.code_bucket}.s3.${data.aws_region.here.name}.${data.aws_partition.here.dns_suffix}"
}

resource "aws_s3_object" "file" {
  for_each = local.files

  bucket      = var.code_bucket
  key         = "${var.code_prefix}${each.value}"
  source      = "${var.release}/${each.value}"
  source_hash = filemd5("${var.release}/${each.value}")
}

resource "aws_cloudformation_stack" "pullsafe" {
  name         = var.name
  template_url = "https://${local.host}/${var.code_prefix}pullsafe.yaml"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  tags         = var.tags

  parameters = merge(var.parameters, {
    CodeBucket        = var.code_bucket
    CodePrefix        = var.code_prefix
    Mode              = var.mode
    NotificationEmail = var.notification_email
  })

  depends_on = [aws_s3_object.file]
}
