//! A repository of charts of our own, over HTTP on the loopback interface.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use anyhow::Result;
use cairn_spec::{Digest, FileTree, gzip, write_tar};

/// The chart `web`, packed.
pub(crate) fn chart(version: &str) -> Vec<u8> {
    let mut tree = FileTree::new();
    tree.put(
        "web/Chart.yaml",
        format!("apiVersion: v2\nname: web\nversion: {version}\ndescription: Shows what it was given.\nkubeVersion: \">=1.25.0-0\"\nhome: https://example.com/web\nannotations: {{artifacthub.io/license: MIT}}\nmaintainers: [{{name: Ann, email: ann@example.com}}]\n"),
    );
    tree.put(
        "web/values.yaml",
        "# How many.\nreplicas: 1\nimage: nginx:1.27.1\n",
    );
    tree.put(
        "web/values.schema.json",
        r##"{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "required": ["image"], "properties": {"replicas": {"$ref": "#/definitions/count"}, "image": {"type": "string"}}, "definitions": {"count": {"type": "integer", "minimum": 1}}}"##,
    );
    tree.put(
        "web/templates/web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: \"{{ .Release.Name }}\"}\nspec:\n  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: {{ .Values.image | quote }}}]}\n",
    );
    gzip(&write_tar(&tree))
}

/// A chart of a name and a version that renders nothing.
pub(crate) fn stand_in(name: &str, version: &str) -> Vec<u8> {
    let mut tree = FileTree::new();
    tree.put(
        &format!("{name}/Chart.yaml"),
        format!("apiVersion: v2\nname: {name}\nversion: {version}\n"),
    );
    tree.put(
        &format!("{name}/templates/map.yaml"),
        r#"{apiVersion: v1, kind: ConfigMap, metadata: {name: {{ .Chart.Name | replace "." "-" }}}}"#,
    );
    gzip(&write_tar(&tree))
}

/// What is at a path.
#[derive(Debug, Clone)]
pub(crate) enum Page {
    /// A document.
    Document(Vec<u8>),
    /// A redirect.
    To(String),
    /// A document whose head claims a length, and of which nothing comes.
    Claimed { bytes: u64 },
}

/// Serves pages by their path, until the process ends.
pub(crate) struct Site {
    pub(crate) address: String,
    pages: Arc<Mutex<BTreeMap<String, Page>>>,
    asked: Arc<Mutex<Vec<String>>>,
    logins: Arc<Mutex<Vec<String>>>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Site {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let site = Self {
            address: listener.local_addr()?.to_string(),
            pages: Arc::default(),
            asked: Arc::default(),
            logins: Arc::default(),
        };
        let pages = Arc::clone(&site.pages);
        let (asked, logins) = (Arc::clone(&site.asked), Arc::clone(&site.logins));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let first = lines.next().unwrap_or_default();
                let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                for line in lines.take_while(|line| !line.is_empty()) {
                    if line.to_ascii_lowercase().starts_with("authorization:") {
                        held(&logins).push(path.clone());
                    }
                }
                let page = held(&pages).get(&path).cloned();
                held(&asked).push(path);
                let (head, body) = match page {
                    Some(Page::Document(body)) => {
                        (format!("200 OK\r\nContent-Length: {}", body.len()), body)
                    }
                    Some(Page::To(url)) => (
                        format!("302 Found\r\nLocation: {url}\r\nContent-Length: 0"),
                        Vec::new(),
                    ),
                    Some(Page::Claimed { bytes }) => {
                        (format!("200 OK\r\nContent-Length: {bytes}"), Vec::new())
                    }
                    None => ("404 Not Found\r\nContent-Length: 0".to_owned(), Vec::new()),
                };
                let mut stream = &stream;
                let head = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(&body);
            }
        });
        Ok(site)
    }

    pub(crate) fn put(&self, path: &str, body: impl Into<Vec<u8>>) {
        self.page(path, Page::Document(body.into()));
    }

    pub(crate) fn page(&self, path: &str, page: Page) {
        held(&self.pages).insert(path.to_owned(), page);
    }

    /// The paths that were asked for.
    pub(crate) fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut *held(&self.asked))
    }

    /// The paths that were asked for with a login.
    pub(crate) fn take_logins(&self) -> Vec<String> {
        std::mem::take(&mut *held(&self.logins))
    }

    /// Offers versions of the chart `web`.
    pub(crate) fn offer(&self, versions: &[&str]) -> Result<()> {
        let mut index = "apiVersion: v1\nentries:\n  web:\n".to_owned();
        for version in versions {
            let archive = chart(version);
            let digest = Digest::sha256(&archive);
            writeln!(
                index,
                "  - {{name: web, version: {version}, digest: {}, urls: [archives/web-{version}.tgz]}}",
                digest.hex()
            )?;
            self.put(&format!("/stable/archives/web-{version}.tgz"), archive);
        }
        self.put("/stable/index.yaml", index);
        Ok(())
    }
}
