//! The image of the `Dockerfile`: built by buildah, run by podman as a stranger would, with nothing
//! but its volume to write to.
//!
//! The stage that compiles is left out: `SOURCE` is an image with the command under test and, as
//! that is linked dynamically, its libraries. Everything after that stage is built as it stands.

use std::{
    fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path, process::Command,
    thread::sleep, time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use cairn_tests::repository_root;

use crate::harness::{Meeting, PASSWORD};

const SOURCE: &str = "localhost/cairn-source:test";
const IMAGE: &str = "localhost/cairn:test";
/// The user that the `Dockerfile` names.
const USER_ID: &str = "10001";
/// How often a container is asked whether it is healthy, every tenth of a second.
const PATIENCE: u32 = 300;
/// How long podman waits before it kills, in seconds: the registry's default `limits.drainS`.
const DRAIN_S: u32 = 30;

const SOURCE_DOCKERFILE: &str = "FROM scratch
COPY root/ /image/
COPY --chown=10001:10001 empty/ /image/data/
COPY --chown=10001:10001 empty/ /image/tmp/
";

/// What the runtimes of containers are told: as little as they can be.
const CONFINED: &str = "--read-only --cap-drop all --security-opt no-new-privileges \
    --ulimit nofile=4096:4096 --ulimit nproc=4096:4096";

struct Engine {
    meeting: Meeting,
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.podman("rm --all --force --time 0");
    }
}

impl Engine {
    fn storage(&self) -> String {
        let folder = self.meeting.sandbox.path().display();
        format!("--root {folder}/storage --runroot {folder}/run --storage-driver vfs")
    }

    fn buildah(&self, arguments: &str) -> Result<String> {
        let arguments = format!("{} {arguments}", self.storage());
        self.meeting.peer("buildah", &arguments)
    }

    fn podman(&self, arguments: &str) -> Result<String> {
        let (storage, folder) = (self.storage(), self.meeting.sandbox.path().display());
        let arguments = format!(
            "{storage} --tmpdir {folder}/tmp --cgroup-manager cgroupfs --runtime runc {arguments}"
        );
        self.meeting.peer("podman", &arguments)
    }

    fn inspect(&self, container: &str, field: &str) -> Result<String> {
        let printed = self.podman(&format!(
            "container inspect --format {{{{{field}}}}} {container}"
        ))?;
        Ok(printed.trim().to_owned())
    }

    /// Waits until the health check of the image succeeds.
    #[expect(
        clippy::disallowed_methods,
        reason = "without systemd nobody but the caller runs health checks"
    )]
    fn wait_until_healthy(&self, container: &str) -> Result<()> {
        for _ in 0..PATIENCE {
            if self.podman(&format!("healthcheck run {container}")).is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(100));
        }
        bail!(
            "{container}: {}",
            self.podman(&format!("logs {container}"))?
        )
    }

    /// SIGTERM has to suffice, and to be the end of a registry that drained.
    fn stop(&self, container: &str) -> Result<()> {
        self.podman(&format!("stop --time {DRAIN_S} {container}"))?;
        let code = self.inspect(container, ".State.ExitCode")?;
        ensure!(code == "0", "{container} ended with {code}");
        Ok(())
    }
}

/// Builds the image, with a configuration that knows one user in the folder `etc`.
fn build() -> Result<Engine> {
    let meeting = Meeting::new()?;
    let root = meeting.path("context/root");
    let binary = Path::new(env!("CARGO_BIN_EXE_cairn-under-test"));
    copy(binary, &root.join("cairn"))?;
    for library in libraries(binary)? {
        copy(
            Path::new(&library),
            &root.join(library.trim_start_matches('/')),
        )?;
    }
    fs::create_dir_all(meeting.path("context/empty"))?;
    meeting
        .sandbox
        .write("context/Dockerfile", SOURCE_DOCKERFILE)?;

    meeting.sandbox.write(
        "etc/registry.yaml",
        "auth: {policy: /etc/cairn/policy.yaml, htpasswd: /etc/cairn/htpasswd}\naudit: {file: /dev/stderr}\n",
    )?;
    let policy = repository_root().join("deploy/compose/policy.yaml");
    fs::copy(policy, meeting.path("etc/policy.yaml"))?;
    meeting.sandbox.write("password", PASSWORD)?;
    let mut user = meeting.sandbox.command();
    user.args(["registry", "user", "add", "admin", "--file", "etc/htpasswd"])
        .arg("--password-stdin")
        .stdin(fs::File::open(meeting.path("password"))?);
    let added = cairn_tests::run(&mut user)?;
    ensure!(added.status.success(), "{}", added.stderr);
    // The container's user is not this test's.
    for file in ["registry.yaml", "policy.yaml", "htpasswd"] {
        let path = meeting.path("etc").join(file);
        fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
    }

    let engine = Engine { meeting };
    let build = "bud --isolation chroot --pull-never --format docker";
    engine.buildah(&format!("{build} --tag {SOURCE} context"))?;
    let dockerfile = repository_root().join("Dockerfile");
    engine.buildah(&format!(
        "{build} --build-arg SOURCE={SOURCE} --tag {IMAGE} --file {} context/empty",
        dockerfile.display()
    ))?;
    Ok(engine)
}

/// The libraries that a program is linked with, and its loader.
fn libraries(program: &Path) -> Result<Vec<String>> {
    let listed = cairn_tests::run(Command::new("ldd").arg(program))?;
    let words = listed.stdout.split_whitespace();
    let paths: Vec<String> = words
        .filter(|word| word.starts_with('/'))
        .map(str::to_owned)
        .collect();
    ensure!(!paths.is_empty(), "`ldd` lists no libraries");
    Ok(paths)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("no parent")?)?;
    fs::copy(from, to).with_context(|| format!("failed to copy {}", from.display()))?;
    Ok(fs::set_permissions(to, fs::Permissions::from_mode(0o755))?)
}

#[test]
#[ignore = "needs buildah, podman with runc, and root"]
fn the_image_runs_confined_and_healthy_by_its_own_command() -> Result<()> {
    let engine = build()?;
    let etc = engine.meeting.path("etc");
    engine.podman(&format!(
        "run --detach --name registry --network none {CONFINED} --volume cairn:/data --volume {}:/etc/cairn:ro {IMAGE}",
        etc.display()
    ))?;
    engine.wait_until_healthy("registry")?;

    let process = engine.inspect("registry", ".State.Pid")?;
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next())
            .unwrap_or("none")
            .to_owned()
    };
    assert_eq!(field("Uid:"), USER_ID);
    assert_eq!(field("Gid:"), USER_ID);
    assert_eq!(field("CapEff:"), "0000000000000000");
    assert_eq!(field("NoNewPrivs:"), "1");
    let mounts = fs::read_to_string(format!("/proc/{process}/mountinfo"))?;
    let root = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .find(|fields| fields.get(4) == Some(&"/"))
        .context("no root")?;
    assert!(root[5].split(',').any(|option| option == "ro"), "{root:?}");

    engine.stop("registry")
}

#[test]
#[ignore = "needs buildah, podman with runc, oras, and root"]
fn the_image_keeps_what_was_pushed_in_its_volume() -> Result<()> {
    let engine = build()?;
    let meeting = &engine.meeting;
    meeting.sandbox.write("notes.txt", "kept\n")?;
    let etc = meeting.path("etc");
    for (round, name) in ["first", "second"].into_iter().enumerate() {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        engine.podman(&format!(
            "run --detach --name {name} --network host {CONFINED} --volume cairn:/data --volume {}:/etc/cairn:ro \
             --health-cmd [\"/cairn\",\"registry\",\"healthcheck\",\"{address}\"] {IMAGE} \
             registry serve --config /etc/cairn/registry.yaml --listen {address} --data /data",
            etc.display()
        ))?;
        engine.wait_until_healthy(name)?;
        let notes = format!("{address}/apps/notes:1");
        let client = [
            "--plain-http",
            "--username",
            "admin",
            "--password",
            PASSWORD,
        ];
        if round == 0 {
            let push = ["push", &notes, "notes.txt:text/plain"];
            meeting.peer_with("oras", &[&push[..], &client].concat())?;
        }
        let pull = ["pull", &notes, "--output", name];
        meeting.peer_with("oras", &[&pull[..], &client].concat())?;
        assert_eq!(fs::read(meeting.path(name).join("notes.txt"))?, b"kept\n");
        let anonymous = meeting.peer_refuses("oras", &format!("pull --plain-http {notes}"))?;
        assert!(anonymous.contains("unauthorized"), "{anonymous}");
        engine.stop(name)?;
    }
    Ok(())
}
