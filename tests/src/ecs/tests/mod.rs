//! The model held against the rules of ECS and the arithmetic of the cases.
