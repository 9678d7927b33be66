//! A registry that asks who its clients are.

use std::fs::File;

use anyhow::{Result, ensure};
use cairn_tests::{RegistryProcess, Run, Sandbox, run};

/// The passwords of `ada` and `bob`.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

const POLICY: &str = "\
apiVersion: cairn.dev/v1
kind: AccessPolicy
rules:
- repositories: [packs/**]
  users: [ada]
  actions: [pull, push]
- repositories: [packs/**]
  users: [bob, robot]
  actions: [pull]
";

pub(crate) const CONFIG: &str = "\
storage: {directory: data}
auth: {policy: policy.yaml, htpasswd: htpasswd, tokens: tokens.json}
";

/// A sandbox with a policy, the users `ada` and `bob`, a token `ci` of `robot`, and a key.
pub(crate) fn prepared() -> Result<(Sandbox, String)> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    sandbox.write("policy.yaml", POLICY)?;
    sandbox.write("registry.yaml", CONFIG)?;
    for (user, hash) in [("ada", "argon2id"), ("bob", "bcrypt")] {
        let added = with_stdin(
            &sandbox,
            &format!("registry user add {user} --hash {hash} --password-stdin"),
            PASSWORD,
        )?;
        ensure!(added.status.success(), "{}", added.stderr);
    }
    let token = sandbox
        .ok("registry token create ci --user robot -o name")?
        .stdout;
    sandbox.ok("key generate us")?;
    Ok((sandbox, token.trim().to_owned()))
}

pub(crate) fn serve(sandbox: &Sandbox) -> Result<RegistryProcess> {
    RegistryProcess::start_configured(sandbox, "registry.yaml")
}

/// Runs the command with a text on its standard input.
pub(crate) fn with_stdin(sandbox: &Sandbox, arguments: &str, text: &str) -> Result<Run> {
    sandbox.write("stdin", text)?;
    let mut command = sandbox.command();
    command
        .args(arguments.split_whitespace())
        .stdin(File::open(sandbox.path().join("stdin"))?);
    run(&mut command)
}

/// Runs the command, which has to end with this code; what it said.
pub(crate) fn ends(sandbox: &Sandbox, code: i32, arguments: &str) -> Result<String> {
    expect(code, arguments, &sandbox.run(arguments)?)
}

/// The same with a text on its standard input.
pub(crate) fn ends_with_stdin(
    sandbox: &Sandbox,
    code: i32,
    arguments: &str,
    text: &str,
) -> Result<String> {
    expect(code, arguments, &with_stdin(sandbox, arguments, text)?)
}

fn expect(code: i32, arguments: &str, run: &Run) -> Result<String> {
    let said = format!("{}{}", run.stdout, run.stderr);
    ensure!(
        run.status.code() == Some(code),
        "`cairn {arguments}` ended with {}, not {code}:\n{said}",
        run.status
    );
    Ok(said)
}
