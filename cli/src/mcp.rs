//! `pullsafe mcp`: gives assistants the answers of the command line, by the Model Context Protocol on standard input
//! and output. It only reads.
//!
//! A tool is a row of [`tools::TOOLS`]: a command, and the inputs that it takes. The inputs become the command's own
//! arguments, and the answer is the command's output: nothing is computed here. No tool writes, reads standard input,
//! or opens a file outside the folder in which the server was started.

mod tool;
mod tools;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use pullsafe::foreign;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer, ServiceExt as _};
use rmcp::transport::stdio;
use rmcp::{ErrorData, model};
use tokio::runtime::Builder;
use tokio::time::timeout;

use self::tool::AssistantTool;
use self::tools::{INSTRUCTIONS, TOOLS};
use crate::terminal::{CommandResult, stop};

/// How long a tool may take. Its output is lost after that, but it was not changing anything.
const LONGEST: Duration = Duration::from_secs(120);
/// The longest answer, in characters: whoever reads it pays for every one.
const ANSWER: usize = 60_000;
/// How many tools run at once; the others wait.
const AT_ONCE: usize = 8;

/// Answer assistants: a server of the Model Context Protocol on standard input and output.
///
/// Its tools are diagnose, explain, incidents, report, verify and plan. They read only, and say what the commands say.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The stack's table of incidents (its output TableName); PULLSAFE_TABLE without it
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let runtime = match Builder::new_current_thread().enable_all().max_blocking_threads(AT_ONCE + 2).build() {
        Ok(runtime) => runtime,
        Err(error) => return stop(&error.to_string(), 1),
    };
    let served = runtime.block_on(serve(Server { table: arguments.table.map(Arc::from) }));
    // A look that nobody waits for any more does not delay the exit.
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => stop(&message, 1),
    }
}

async fn serve(server: Server) -> Result<(), String> {
    let running = server
        .serve(stdio())
        .await
        .map_err(|error| format!("no assistant spoke the protocol on standard input: {error}"))?;
    running.waiting().await.map(|_| ()).map_err(|error| error.to_string())
}

/// The server, with its start arguments.
#[derive(Clone)]
struct Server {
    table: Option<Arc<str>>,
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let mut config =
            ServerConfig::new(ServerCapabilities::builder().enable_tools().build()).with_instructions(INSTRUCTIONS);
        config.server_info = Implementation::new("pullsafe", env!("CARGO_PKG_VERSION")).with_title("pullsafe");
        config
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(TOOLS.iter().map(AssistantTool::described).collect()))
    }

    fn get_tool(&self, name: &str) -> Option<model::Tool> {
        TOOLS.iter().find(|tool| tool.name == name).map(AssistantTool::described)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = TOOLS.iter().find(|tool| tool.name == request.name) else {
            let names: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
            let problem =
                format!("there is no tool `{}`; there are {}", foreign::line(&request.name), names.join(", "));
            return Err(ErrorData::invalid_params(problem, None));
        };
        let given = request.arguments.unwrap_or_default();
        let line = match tool.line(&given, self.table.as_deref()) {
            Ok(line) => line,
            Err(problem) => return Ok(result(&CommandResult::fault(problem, 2)).into()),
        };
        let answer = tool.answer;
        let work = tokio::task::spawn_blocking(move || {
            answer(&line).unwrap_or_else(|problem| CommandResult::fault(problem, 2))
        });
        let said = match timeout(LONGEST, work).await {
            Ok(Ok(said)) => said,
            Ok(Err(error)) => return Err(ErrorData::internal_error(error.to_string(), None)),
            Err(_) => CommandResult::fault(format!("{}: no answer within {} seconds", tool.name, LONGEST.as_secs()), 1),
        };
        Ok(result(&said).into())
    }
}

/// Turns a command's output into a tool's result. A negative or incomplete answer is not an error of the tool.
fn result(said: &CommandResult) -> CallToolResult {
    let faults = said.faults.iter().map(|fault| format!("error: {}", foreign::line(fault)));
    let text = said.text.trim_end();
    let blocks: Vec<String> = [text.to_owned()].into_iter().filter(|text| !text.is_empty()).chain(faults).collect();
    let content = blocks.iter().map(|block| ContentBlock::text(short(&foreign::terminal(block)))).collect();
    if text.is_empty() {
        CallToolResult::error(content)
    } else {
        CallToolResult::success(content)
    }
}

/// Shortens an answer to the length that somebody reads.
fn short(text: &str) -> String {
    match text.char_indices().nth(ANSWER) {
        Some((end, _)) => {
            let left_out = text.chars().count() - ANSWER;
            format!(
                "{}\n[{left_out} more characters are left out: ask for one service, or for a shorter time]",
                &text[..end]
            )
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_answer_is_cut_where_it_says_so() {
        let text = "é".repeat(ANSWER + 7);
        assert!(short(&text).ends_with("[7 more characters are left out: ask for one service, or for a shorter time]"));
        assert_eq!(short("short"), "short");
    }
}
