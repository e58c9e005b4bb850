//! The cases as scenarios, and what must hold whatever happens.

mod ahead;
mod bad_hour;
mod case_a;
mod case_b;
mod case_c;
mod case_d;
mod case_e;
mod crash;
mod documents;
mod events;
mod gate;
mod gate_examples;
mod gate_interleavings;
mod gate_properties;
mod gate_truth;
mod left_alone;
mod log_evidence;
mod mirror_mounts;
mod mirror_pace;
mod mirror_plan;
mod mirror_properties;
mod mirror_prune;
mod mirror_repositories;
mod mirror_work;
mod order;
mod second_looks;
