//! Black-box tests of what launchgate does to processes: steps, signals, terminals, the server.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[path = "../common/mod.rs"]
mod common;

mod bad_input_is_refused;
mod behind_entrypoint;
mod check_changes_nothing;
mod children_from_before_are_left_alone;
mod colours_only_at_a_terminal;
mod convert;
mod convert_corpus;
mod exit_codes_and_limits;
mod generate;
mod health_addresses;
mod health_answers_until_the_server_starts;
mod inherited_signal_settings_count;
mod init_command;
mod init_forwards_signals;
mod init_hands_over_the_terminal;
mod init_leaves_nothing_behind;
mod init_refuses_bad_input;
mod inits_page;
mod json_log_parses;
mod kept_output_is_passed_on;
mod links;
mod no_signal_is_lost_before_exec;
mod nothing_of_a_step_outlives_it;
mod other_signals_reach_the_step;
mod output_is_passed_through;
mod pipes_are_refused;
mod preflight;
mod probe_follows_the_gate;
mod says_what_to_do;
mod server_sees_no_difference;
mod settings;
mod settings_file;
mod settings_file_mistakes;
mod signals_stop_the_step;
mod start_commands_run_at_every_start;
mod step_commands_become_words;
mod step_has_the_terminal;
mod steps_run_in_order;
mod terminal;
mod termination_log;
mod trust;
mod unwritable_log_changes_nothing;
mod users_are_switched_as_by_gosu;
mod what_a_step_sees;
