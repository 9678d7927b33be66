//! A case: a folder with input files, a command that must fail there, and the checks that every
//! failure has in common.

use std::{
    collections::BTreeMap, fs, io::Read, path::Path, process::Stdio, sync::mpsc, thread,
    time::Duration,
};

use cairn_tests::{RegistryProcess, Sandbox};

/// A command that has not ended by then hangs.
const DEADLINE: Duration = Duration::from_mins(1);
/// Where a registry of a case keeps its content; the only place that may change.
const REGISTRY_DATA: &str = "registry-data";

/// The exit codes of the command line.
pub(crate) const ERROR: i32 = 1;
pub(crate) const USAGE: i32 = 2;
pub(crate) const NOT_FOUND: i32 = 3;
pub(crate) const UNAUTHENTICATED: i32 = 4;
pub(crate) const DENIED: i32 = 5;
pub(crate) const CONFLICT: i32 = 6;
pub(crate) const INVALID_INPUT: i32 = 7;

/// A folder with input files.
pub(crate) struct Case {
    sandbox: Sandbox,
    /// Serves as long as the case lives.
    registry: Option<RegistryProcess>,
    address: String,
    redactions: Vec<(String, String)>,
}

impl Case {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self {
            sandbox: Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test")).unwrap(),
            registry: None,
            address: String::new(),
            redactions: Vec::new(),
        }
    }

    /// A folder with a small pack that has no fault, `web/`.
    pub(crate) fn pack() -> Self {
        Self::empty()
            .file("web/pack.yaml", PACK)
            .file("web/values.yaml", VALUES)
            .file("web/values.schema.json", SCHEMA)
            .file("web/templates/web.yaml.hbs", TEMPLATE)
    }

    /// A folder with the small pack and a profile that uses it, without fault.
    pub(crate) fn profile() -> Self {
        Self::pack().file("profile.yaml", PROFILE)
    }

    /// The small pack and a profile that ends in the given lines of `spec`.
    pub(crate) fn profile_with(spec: &str) -> Self {
        Self::pack().file("profile.yaml", format!("{PROFILE}{spec}"))
    }

    /// Writes an input file.
    pub(crate) fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        self.sandbox.write(path, text).unwrap();
        self
    }

    /// Starts a registry beside the files.
    pub(crate) fn registry(self) -> Self {
        let registry = RegistryProcess::start(&self.sandbox, REGISTRY_DATA).unwrap();
        let address = registry.address.clone();
        Self {
            registry: Some(registry),
            ..self.registry_at(address)
        }
    }

    /// Takes another registry for the case's own.
    pub(crate) fn registry_at(mut self, address: String) -> Self {
        self.redactions
            .push((address.clone(), "[registry]".to_owned()));
        self.address = address;
        self
    }

    /// Ends the registry.
    pub(crate) fn stop_registry(mut self) -> Self {
        self.registry = None;
        self
    }

    /// The address of the registry.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Where the registry keeps its content.
    pub(crate) fn registry_data(&self) -> std::path::PathBuf {
        self.path().join(REGISTRY_DATA)
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.sandbox.path()
    }

    /// Shows `text` as `name` in messages, for what differs from run to run.
    pub(crate) fn redact(&mut self, text: impl Into<String>, name: &str) {
        self.redactions.push((text.into(), name.to_owned()));
    }

    /// Runs a command that has to succeed before the one that is tested; `@/` is the registry.
    pub(crate) fn given(self, arguments: &str) -> Self {
        self.sandbox.ok(&self.expand(arguments)).unwrap();
        self
    }

    /// What the command prints when it fails as it must: with this exit code, in time, without a
    /// panic, and with every file as it was. `@/` is the registry.
    pub(crate) fn refused(&self, arguments: &str, code: i32) -> String {
        self.refused_with(arguments, code, &[])
    }

    /// The same with environment variables.
    pub(crate) fn refused_with(
        &self,
        arguments: &str,
        code: i32,
        environment: &[(&str, &str)],
    ) -> String {
        let before = self.files();
        let expanded = self.expand(arguments);
        let (exit, stdout, stderr) = self.run(&expanded, environment);
        let said = format!("$ cairn {arguments}\n{stdout}{stderr}");
        assert!(!stderr.contains("panicked"), "it panicked:\n{said}");
        assert_eq!(exit, Some(code), "another exit code:\n{said}");
        assert_same_files(&before, &self.files(), &said);
        let mut shown = format!(
            "$ cairn {arguments}\nexit code {code}\n\n{}",
            stderr.trim_end()
        );
        if !stdout.is_empty() {
            shown.push_str("\n\nstandard output:\n");
            shown.push_str(stdout.trim_end());
        }
        self.redacted(shown)
    }

    fn run(&self, arguments: &str, environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
        let mut child = self
            .sandbox
            .command()
            .args(arguments.split_whitespace())
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = read_all(child.stdout.take().unwrap());
        let stderr = read_all(child.stderr.take().unwrap());
        let texts = stdout
            .recv_timeout(DEADLINE)
            .and_then(|stdout| Ok((stdout, stderr.recv_timeout(DEADLINE)?)));
        let Ok((stdout, stderr)) = texts else {
            child.kill().unwrap();
            panic!("`cairn {arguments}` hangs");
        };
        (child.wait().unwrap().code(), stdout, stderr)
    }

    fn expand(&self, arguments: &str) -> String {
        arguments.replace("@/", &format!("{}/", self.address))
    }

    /// Every file below the folder, but not what the registry keeps. Folders count too.
    fn files(&self) -> BTreeMap<String, Option<Vec<u8>>> {
        let mut files = BTreeMap::new();
        collect(self.path(), self.path(), &mut files);
        files
    }

    fn redacted(&self, text: String) -> String {
        let folder = self.path().display().to_string();
        let text = self
            .redactions
            .iter()
            .fold(text, |text, (secret, name)| text.replace(secret, name))
            .replace(&folder, "[folder]")
            .replace("cairn-under-test", "cairn");
        redact_hex(&text)
    }
}

fn read_all(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Option<Vec<u8>>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if name == REGISTRY_DATA {
            continue;
        }
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            files.insert(format!("{name}/"), None);
            collect(root, &path, files);
        } else {
            files.insert(name, fs::read(&path).ok());
        }
    }
}

fn assert_same_files(
    before: &BTreeMap<String, Option<Vec<u8>>>,
    after: &BTreeMap<String, Option<Vec<u8>>>,
    said: &str,
) {
    let changed: Vec<&String> = after
        .iter()
        .filter(|(name, bytes)| before.get(*name) != Some(bytes))
        .map(|(name, _)| name)
        .chain(before.keys().filter(|name| !after.contains_key(*name)))
        .collect();
    assert!(changed.is_empty(), "files changed: {changed:?}\n{said}");
}

/// Digests and key ids are shown as `[hex]`: they follow from bytes that are no matter here.
fn redact_hex(text: &str) -> String {
    const HEX_LENGTH: usize = 64;
    let mut redacted = String::new();
    let mut run = String::new();
    let flush = |run: &mut String, redacted: &mut String| {
        if run.len() == HEX_LENGTH {
            redacted.push_str("[hex]");
        } else {
            redacted.push_str(run);
        }
        run.clear();
    };
    for character in text.chars() {
        if character.is_ascii_digit() || matches!(character, 'a'..='f') {
            run.push(character);
        } else {
            flush(&mut run, &mut redacted);
            redacted.push(character);
        }
    }
    flush(&mut run, &mut redacted);
    redacted
}

pub(crate) const PACK: &str = "\
apiVersion: cairn.dev/v1
kind: Pack
metadata:
  name: web
  version: 1.0.0
spec:
  layer: addon
  namespace: web
";

pub(crate) const VALUES: &str = "\
replicas: 1
image: registry.example.com/web:1.0.0
";

const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "replicas": {"type": "integer", "minimum": 1},
    "image": {"type": "string"}
  }
}
"#;

const TEMPLATE: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
data:
  replicas: {{quote values.replicas}}
  image: {{quote values.image}}
";

/// Ends inside of its only layer, so that a case can go on with the layer or with `spec`.
pub(crate) const PROFILE: &str = "\
apiVersion: cairn.dev/v1
kind: Profile
metadata:
  name: shop
  version: 1.0.0
spec:
  type: addon
  kubernetes: 1.34.1
  layers:
    - name: web
      path: web
";
