output "stack_id" {
  value       = aws_cloudformation_stack.pullsafe.id
  description = "The stack."
}

output "image_gate_arn" {
  value       = aws_cloudformation_stack.pullsafe.outputs["ImageGateArn"]
  description = "The service token of Custom::PullsafeImage."
}

output "topic_arn" {
  value       = aws_cloudformation_stack.pullsafe.outputs["TopicArn"]
  description = "The topic that people are told by."
}

output "outputs" {
  value       = aws_cloudformation_stack.pullsafe.outputs
  description = "Every output of the stack."
}
