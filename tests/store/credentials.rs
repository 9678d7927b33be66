//! Each way in which the registry learns who it is to the store: the store of the tests answers
//! nobody whose signature is wrong.

use anyhow::{Result, ensure};
use cairn_test_s3::{ACCESS_KEY_ID, S3Server, SECRET_ACCESS_KEY};
use cairn_tests::{Run, Sandbox};

use crate::{configuration, issuer::Issuer, run_aside};

/// What the doctor says with these lines below `storage.s3`, files and variables.
async fn examined(more: &str, files: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Run> {
    let store = S3Server::start().await;
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    sandbox.write("registry.yaml", configuration(&store, more))?;
    for (path, text) in files {
        sandbox.write(path, text)?;
    }
    let mut command = sandbox.command();
    command
        .args(["registry", "doctor", "--config", "registry.yaml"])
        .envs(variables.iter().copied());
    run_aside(&mut command)
}

fn passed(run: &Run) -> Result<()> {
    ensure!(run.status.success(), "{}\n{}", run.stdout, run.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn static_keys_are_in_the_configuration_or_a_file() -> Result<()> {
    let keys = |rest: &str| format!("    credentials: {{accessKeyId: {ACCESS_KEY_ID}, {rest}}}\n");
    let inline = keys(&format!("secretAccessKey: {SECRET_ACCESS_KEY}"));
    passed(&examined(&inline, &[], &[]).await?)?;
    let in_file = keys("secretAccessKeyFile: secrets/s3");
    let secret = format!("{SECRET_ACCESS_KEY}\n");
    passed(&examined(&in_file, &[("secrets/s3", &secret)], &[]).await?)?;

    let wrong = examined(&in_file, &[("secrets/s3", "hunter2")], &[]).await?;
    ensure!(
        wrong.stderr.contains("SignatureDoesNotMatch"),
        "{}",
        wrong.stderr
    );
    ensure!(!wrong.stderr.contains("hunter2"));
    let missing = examined(&in_file, &[], &[]).await?;
    ensure!(missing.stderr.contains("secrets/s3"), "{}", missing.stderr);
    let both = keys("secretAccessKey: a, secretAccessKeyFile: b");
    let both = examined(&both, &[], &[]).await?;
    ensure!(both.stderr.contains("either"), "{}", both.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_and_profiles_tell_keys() -> Result<()> {
    let variables = [
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
    ];
    passed(&examined("", &[], &variables).await?)?;
    let profiles = format!(
        "[default]\naws_access_key_id = other\naws_secret_access_key = other\n\
         [production]\naws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n"
    );
    let files = [(".aws/credentials", &*profiles)];
    passed(&examined("    profile: production\n", &files, &[]).await?)?;
    let other = examined("", &files, &[]).await?;
    ensure!(other.stderr.contains("answered 403"), "{}", other.stderr);
    ensure!(
        other.stderr.contains("docs/registry-s3.md"),
        "{}",
        other.stderr
    );
    Ok(())
}

/// As for pods whose service account has a role (IRSA).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_identity_becomes_a_role() -> Result<()> {
    let issuer = Issuer::start().await?;
    let endpoint = format!("http://{}", issuer.address);
    let variables = [
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/registry"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "token"),
        ("AWS_ENDPOINT_URL_STS", &endpoint),
        ("AWS_REGION", "eu-central-1"),
    ];
    passed(&examined("", &[("token", "an.id.token")], &variables).await?)?;
    let requests = issuer.requests();
    ensure!(
        requests
            .iter()
            .all(|request| request.contains("WebIdentityToken=an.id.token")),
        "{requests:?}"
    );
    // Credentials are kept until they end.
    ensure!(requests.len() == 1, "{requests:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_asks_its_metadata_service() -> Result<()> {
    let issuer = Issuer::start().await?;
    let endpoint = format!("http://{}", issuer.address);
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*endpoint)];
    passed(&examined("", &[], &variables).await?)?;
    let requests = issuer.requests();
    ensure!(
        requests
            .iter()
            .any(|request| request.contains("/iam/security-credentials")),
        "{requests:?}"
    );
    Ok(())
}
