//! Each chart that `pack.yaml` names must be in the pack.

use cairn_spec::{Diagnostic, Node, PackManifest};

use super::check_release;
use crate::Session;

/// Reports the charts that are not there.
pub(crate) fn check_charts(manifest: &PackManifest, node: &Node, session: &mut Session) {
    for (index, chart) in manifest.spec.charts.iter().enumerate() {
        let place = |below: &str| session.span_at(node, &format!("/spec/charts/{index}{below}"));
        let (at_name, at_release) = (place("/name"), place("/release"));
        check_release(chart.release.as_deref(), at_release, session);
        session.report(
            Diagnostic::error(
                "chart-missing",
                format!("the chart `{}` is not in the pack", chart.name),
            )
            .at(at_name)
            .hint("take what it renders into `manifests/`"),
        );
    }
}
