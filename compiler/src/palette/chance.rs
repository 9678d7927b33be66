//! What charts of a Palette pack take from chance or from the clock. Palette, as Helm, gives it at each
//! installation anew; here somebody chooses (`spec/chart.md` §1).

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use cairn_chart::{ChartHost, RenderOptions, UnnamedCalls, load_archive, render};
use cairn_spec::{GeneratedValue, GeneratedValues, Node, PackManifest, Timestamp};
use cairn_template::{GeneratedCall, Generation, Host, LookupQuery};

use super::Importer;
use crate::{
    Session,
    charts::{DEFAULT_NAMESPACE, helm_values},
};

/// What becomes of calls that give another value each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChanceCalls {
    /// They are reported; the pack does not render before somebody chooses.
    Reported,
    /// They get values that follow from names that anybody knows, and the time is this one.
    Seeded(Timestamp),
}

/// A call, by its function and its file.
type Call = (String, String);

impl Importer<'_> {
    /// Finds the calls of each chart with the pack's own values.
    pub(super) fn chance(
        &mut self,
        manifest: &mut PackManifest,
        chance: ChanceCalls,
        session: &mut Session,
    ) {
        for chart in &mut manifest.spec.charts {
            let name = chart.name.as_str();
            let archives: Vec<Arc<[u8]>> = self
                .tree
                .iter()
                .filter(|(path, _)| path.below("charts").is_some())
                .map(|(_, file)| Arc::clone(&file.bytes))
                .collect();
            let release = chart.release.clone().unwrap_or_else(|| name.to_owned());
            let values = self.values.kept.at(&["charts", name]);
            let found = archives
                .iter()
                .find_map(|bytes| calls(bytes, name, &release, values, session))
                .unwrap_or_default();
            if found.is_empty() {
                continue;
            }
            let named: Vec<String> = found
                .iter()
                .map(|(function, template)| format!("`{function}` in `{template}`"))
                .collect();
            let what = format!("charts/{name}: {}", named.join(", "));
            match chance {
                ChanceCalls::Reported => self.left(
                    what,
                    "it gives another value each time: set the values that it stands in for, or choose in `generated` of the chart in `pack.yaml`",
                ),
                ChanceCalls::Seeded(now) => {
                    chart.generated = GeneratedValues {
                        now: Some(now),
                        calls: found.into_iter().map(seeded).collect(),
                    };
                    self.changed(
                        what,
                        "its value follows from the names of profile, cluster and layer, and anybody can compute it: set the values that it stands in for where they are secret",
                    );
                }
            }
        }
    }
}

fn seeded((function, template): Call) -> GeneratedValue {
    GeneratedValue {
        function,
        template: Some(template),
        occurrence: None,
        secret: None,
        certificate_key: None,
        value: None,
        seeded: true,
    }
}

/// The calls of a chart; none when the archive holds another one. What fails while it renders, a
/// build reports.
fn calls(
    bytes: &[u8],
    name: &str,
    release: &str,
    values: Option<&Node>,
    session: &mut Session,
) -> Option<BTreeSet<Call>> {
    let Session {
        sources, origins, ..
    } = session;
    let chart = load_archive(bytes, "chart.tgz", sources, origins).ok()?;
    if chart.name() != name {
        return None;
    }
    let host = Recorder {
        inner: ChartHost {
            release: release.to_owned(),
            namespace: DEFAULT_NAMESPACE.to_owned(),
            unnamed_calls: UnnamedCalls::Seeded,
            now: Some(0),
            ..ChartHost::default()
        },
        calls: Mutex::default(),
    };
    let options = RenderOptions {
        host: &host,
        ..RenderOptions::new(release)
    };
    let _ = render(chart, &helm_values(values), &options, sources, origins);
    Some(
        host.calls
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner),
    )
}

/// Answers as another host does, and writes down what was asked.
#[derive(Debug)]
struct Recorder {
    inner: ChartHost,
    calls: Mutex<BTreeSet<Call>>,
}

impl Host for Recorder {
    fn lookup(&self, query: &LookupQuery<'_>) -> Option<Node> {
        self.inner.lookup(query)
    }

    fn generate(&self, call: &GeneratedCall<'_>) -> Generation {
        let calls = self.calls.lock();
        calls
            .unwrap_or_else(PoisonError::into_inner)
            .insert((call.function.to_owned(), call.template.to_owned()));
        self.inner.generate(call)
    }
}
