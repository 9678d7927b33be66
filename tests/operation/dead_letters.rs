//! Events that no webhook took, from the server that gave up to the command that tries again.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

use anyhow::{Result, ensure};
use cairn_tests::{RegistryProcess, Sandbox, repository_root};
use serde_json::Value;

/// A receiver of webhooks that answers with the statuses it is given, one a connection; it hands on
/// what it was sent.
fn receiver(statuses: Receiver<&'static str>) -> Result<(String, Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let (sender, requests): (Sender<String>, _) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            // An event is shorter than what is read at once; it ends with a brace.
            while !request.ends_with(b"}") {
                match stream.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(length) => request.extend_from_slice(&buffer[..length]),
                }
            }
            let Ok(status) = statuses.recv() else { return };
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes());
            if sender
                .send(String::from_utf8_lossy(&request).into_owned())
                .is_err()
            {
                return;
            }
        }
    });
    Ok((address, requests))
}

#[test]
fn what_nobody_took_is_listed_and_tried_again() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let (answers, statuses) = channel();
    let (address, requests) = receiver(statuses)?;
    sandbox.write(
        "registry.yaml",
        format!(
            "\
storage: {{directory: data}}
webhooks:
- {{name: builds, url: 'http://{address}/', attempts: 1, events: [tag-moved], allowPrivateNetworks: true}}
"
        ),
    )?;
    let serve = || RegistryProcess::start_configured(&sandbox, "registry.yaml");
    let mut registry = serve()?;
    answers.send("410 Gone")?;
    let pack = repository_root().join("packs/addon/metrics-server");
    let push = format!("pack push {} {}/packs", pack.display(), registry.address);
    sandbox.ok(&push)?;
    requests.recv_timeout(Duration::from_secs(30))?;
    registry.wait_until_said("could not be delivered and is set aside", 1)?;
    let busy = sandbox.run("registry webhooks list --config registry.yaml")?;
    ensure!(busy.status.code() == Some(6), "{}", busy.stderr);
    registry.stop()?;

    let list = || -> Result<Vec<Value>> {
        let listed = sandbox.ok("registry webhooks list --config registry.yaml -o json")?;
        Ok(serde_json::from_str(&listed.stdout)?)
    };
    let letters = list()?;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0]["webhook"], "builds");
    assert_eq!(letters[0]["attempts"], 1);
    assert_eq!(letters[0]["lastFailure"], "it answered 410 Gone");
    assert_eq!(letters[0]["event"]["type"], "dev.cairn.registry.tag.moved");
    let id = letters[0]["id"].as_str().unwrap_or_default().to_owned();
    let table = sandbox.ok("registry webhooks list --data data")?.stdout;
    assert!(
        table.contains(&id) && table.contains("tag.moved packs/metrics-server"),
        "{table}"
    );
    let other = sandbox.ok("registry webhooks list --data data --webhook other -o name")?;
    assert_eq!(other.stdout, "");

    let unknown = "registry webhooks retry 01ARZ3NDEKTSV4RRFFQ69G5FAV --data data";
    assert_eq!(sandbox.run(unknown)?.status.code(), Some(3));
    assert_eq!(
        sandbox
            .run("registry webhooks retry --data data")?
            .status
            .code(),
        Some(2)
    );
    sandbox.ok(&format!("registry webhooks retry {id} --data data"))?;
    assert_eq!(list()?.len(), 0);
    answers.send("500 Internal Server Error")?;
    let mut registry = serve()?;
    let request = requests.recv_timeout(Duration::from_secs(30))?;
    assert!(request.contains(&format!("webhook-id: {id}")), "{request}");
    registry.wait_until_said("could not be delivered and is set aside", 1)?;
    registry.stop()?;

    assert_eq!(list()?.len(), 1);
    sandbox.ok("registry webhooks discard --all --data data")?;
    assert_eq!(list()?.len(), 0);
    Ok(())
}
