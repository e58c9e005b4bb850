variable "name" {
  type        = string
  default     = "pullsafe"
  description = "The stack's name, which its exports begin with."
}

variable "code_bucket" {
  type        = string
  description = "The bucket with the release's files, in the provider's region."
}

variable "code_prefix" {
  type        = string
  description = "What the files' keys begin with, such as `pullsafe/0.1.0/`. A new version needs a new one."

  validation {
    condition     = can(regex("^([A-Za-z0-9!_.'()-]+/)*$", var.code_prefix))
    error_message = "The prefix is nothing, or parts that each end with a slash."
  }
}

variable "release" {
  type        = string
  default     = null
  description = "A folder with the release's files, which are uploaded then. Without it they have to be in the bucket."
}

variable "mode" {
  type        = string
  default     = "observe"
  description = "observe: say what would be done. ask: do it once a person has said yes. act: do it."

  validation {
    condition     = contains(["observe", "ask", "act"], var.mode)
    error_message = "The mode is observe, ask or act."
  }
}

variable "notification_email" {
  type        = string
  default     = ""
  description = "Who is told. AWS asks the address to confirm; until it has, nobody is told anything."
}

variable "parameters" {
  type        = map(string)
  default     = {}
  description = "Any other parameter of the template, by its name (docs/deploy.md has the list)."
}

variable "tags" {
  type        = map(string)
  default     = {}
  description = "Tags of the stack and of everything in it."
}
