//! `discover`: the gNMI tool: capabilities, get, set, subscribe, probe; over one target or several at once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;

use super::{CLEAN, ERROR, Exit, Failure, Global, REFUSED, out};
use crate::config::{self, Env, Settings};
use crate::engine::discover::{self as tool, Client, DataType, ListMode, Row, SetParts, Subscription};
use crate::engine::{self};
use crate::path::Path;
use crate::value::Value;

/// `discover`
#[derive(Debug, Args)]
pub struct Discover {
    #[command(subcommand)]
    what: What,
    /// A target of the settings, or host:port; again for more
    #[arg(long = "target", short = 't', global = true, value_name = "NAME|HOST:PORT")]
    targets: Vec<String>,
    /// How the answer is printed
    #[arg(long, global = true, value_enum, default_value_t = Format::Flat)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Columns
    Table,
    /// `target path value`
    Flat,
    /// One JSON document
    Json,
    /// One JSON document a line
    Ndjson,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Encoding {
    Json,
    JsonIetf,
    Proto,
    Ascii,
    Bytes,
}

impl From<Encoding> for tool::Encoding {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Json => Self::Json,
            Encoding::JsonIetf => Self::JsonIetf,
            Encoding::Proto => Self::Proto,
            Encoding::Ascii => Self::Ascii,
            Encoding::Bytes => Self::Bytes,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    All,
    Config,
    State,
    Operational,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    Stream,
    Once,
    Poll,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StreamMode {
    OnChange,
    Sample,
    TargetDefined,
}

#[derive(Debug, Subcommand)]
enum What {
    /// gNMI version, encodings, models
    Capabilities,
    /// Read paths
    Get {
        /// A path; again for more. `cli:/show version` asks the command line
        #[arg(long = "path", short = 'p', required = true)]
        paths: Vec<String>,
        /// Encoding asked for
        #[arg(long, value_enum, default_value_t = Encoding::JsonIetf)]
        encoding: Encoding,
        /// What kind of data
        #[arg(long = "type", value_enum, default_value_t = Kind::All)]
        kind: Kind,
    },
    /// Write paths (only with --write and --yes)
    Set {
        /// Delete a path; again for more
        #[arg(long)]
        delete: Vec<String>,
        /// PATH=JSON: update a path; again for more
        #[arg(long, value_name = "PATH=JSON")]
        update: Vec<String>,
        /// PATH=JSON: replace a path; again for more
        #[arg(long, value_name = "PATH=JSON")]
        replace: Vec<String>,
        /// PATH=FILE: update a path with a JSON document
        #[arg(long, value_name = "PATH=FILE")]
        update_file: Vec<String>,
        /// Send it
        #[arg(long)]
        yes: bool,
    },
    /// Follow paths
    Subscribe {
        /// A path; again for more
        #[arg(long = "path", short = 'p', required = true)]
        paths: Vec<String>,
        /// Encoding asked for
        #[arg(long, value_enum, default_value_t = Encoding::JsonIetf)]
        encoding: Encoding,
        /// stream, once, poll
        #[arg(long, value_enum, default_value_t = Mode::Stream)]
        mode: Mode,
        /// How a stream follows
        #[arg(long, value_enum, default_value_t = StreamMode::OnChange)]
        stream_mode: StreamMode,
        /// Seconds between samples or polls
        #[arg(long, default_value_t = 10)]
        interval: u64,
        /// End after so many updates
        #[arg(long)]
        count: Option<usize>,
    },
    /// What a target really supports, path by path
    Probe {
        /// A path; again for more
        #[arg(long = "path", short = 'p')]
        paths: Vec<String>,
    },
}

impl Discover {
    /// Does it, on every target at once.
    pub async fn run(self, global: &Global) -> Exit {
        let settings = match config::load(&global.asked(), &Env::process()) {
            Ok(settings) => settings,
            Err(config::Error::Missing(_)) if global.config.is_none() => config::without_file(&global.asked(), &Env::process())?,
            Err(error) => return Err(error.into()),
        };
        if self.targets.is_empty() {
            return Err(Failure::new("no target").hint("give --target NAME or --target HOST:PORT; again for more"));
        }
        for target in &self.targets {
            let label = settings.target(target).security.label();
            if label != "TLS" {
                out::talk(&format!("{target}: {label}"));
            }
        }
        let format = self.format;
        match self.what {
            What::Capabilities => {
                let answers = each(&settings, &self.targets, |client| async move { Ok(client.capabilities().await?) }).await;
                finish(answers, format, |target, capabilities| {
                    let models: Vec<_> = capabilities
                        .models
                        .iter()
                        .map(|model| json!({"name": model.name, "organization": model.organization, "version": model.version}))
                        .collect();
                    let document = json!({"target": target, "gnmi_version": capabilities.gnmi_version, "encodings": capabilities.encodings, "models": models});
                    let mut rows = vec![
                        vec![target.to_owned(), "gNMI".into(), capabilities.gnmi_version.clone()],
                        vec![target.to_owned(), "encodings".into(), capabilities.encodings.join(" ")],
                    ];
                    rows.extend(capabilities.models.iter().map(|model| vec![target.to_owned(), model.name.clone(), model.version.clone()]));
                    (rows, vec![document])
                })
            }
            What::Get { paths, encoding, kind } => {
                let paths = parse(&paths)?;
                let kind = match kind {
                    Kind::All => DataType::All,
                    Kind::Config => DataType::Config,
                    Kind::State => DataType::State,
                    Kind::Operational => DataType::Operational,
                };
                let answers = each(&settings, &self.targets, |client| {
                    let paths = paths.clone();
                    async move { tool::get(&client, &paths, kind, encoding.into()).await }
                })
                .await;
                finish(answers, format, |_, rows| (rows.iter().flat_map(cells).collect(), rows.iter().map(document).collect()))
            }
            What::Set { delete, update, replace, update_file, yes } => {
                if !settings.may_write {
                    return Err(Failure::new("read-only").hint("give --write, or set `write = true` for the fabric").code(REFUSED));
                }
                let mut parts = SetParts { delete: parse(&delete)?, ..SetParts::default() };
                parts.replace = replace.iter().map(|text| assignment(text)).collect::<Result<_, _>>()?;
                parts.update = update.iter().map(|text| assignment(text)).collect::<Result<_, _>>()?;
                for text in &update_file {
                    parts.update.push(from_file(text)?);
                }
                if parts.is_empty() {
                    return Err(Failure::new("nothing to set").hint("give --delete, --update, --replace or --update-file"));
                }
                if !yes {
                    return Err(Failure::new("not sent")
                        .hint("this writes past every guard of plan and apply: give --yes if you mean it")
                        .code(REFUSED));
                }
                let answers = each(&settings, &self.targets, |client| {
                    let parts = parts.clone();
                    async move { Ok(client.set(&parts).await?) }
                })
                .await;
                finish(answers, format, |target, answer| {
                    let rows = answer
                        .results
                        .iter()
                        .map(|(path, operation)| vec![target.to_owned(), format!("{operation:?}").to_lowercase(), path.to_string()])
                        .collect();
                    let results: Vec<_> = answer
                        .results
                        .iter()
                        .map(|(path, operation)| json!({"path": path, "operation": format!("{operation:?}").to_lowercase()}))
                        .collect();
                    (rows, vec![json!({"target": target, "timestamp": answer.timestamp, "results": results})])
                })
            }
            What::Subscribe { paths, encoding, mode, stream_mode, interval, count } => {
                let every = Duration::from_secs(interval.max(1));
                let subscriptions: Vec<Subscription> = parse(&paths)?
                    .into_iter()
                    .map(|path| match stream_mode {
                        StreamMode::OnChange => Subscription::on_change(path),
                        StreamMode::Sample => Subscription::sample(path, every),
                        StreamMode::TargetDefined => tool::target_defined(path),
                    })
                    .collect();
                let list = match mode {
                    Mode::Stream => ListMode::Stream,
                    Mode::Once => ListMode::Once,
                    Mode::Poll => ListMode::Poll,
                };
                let told = std::sync::Arc::new(AtomicUsize::new(0));
                let all = each(&settings, &self.targets, |client| {
                    let (subscriptions, told) = (subscriptions.clone(), std::sync::Arc::clone(&told));
                    async move {
                        let poll = (mode == Mode::Poll).then_some(every);
                        tool::subscribe(&client, list, &subscriptions, encoding.into(), poll, |rows| {
                            for row in &rows {
                                show(row, format);
                                if count.is_some_and(|limit| told.fetch_add(1, Ordering::SeqCst) + 1 >= limit) {
                                    return false;
                                }
                            }
                            true
                        })
                        .await
                    }
                });
                tokio::select! {
                    answers = all => failures(answers.into_iter().filter_map(|(target, answer)| Some((target, answer.err()?))).collect()),
                    _ = tokio::signal::ctrl_c() => Ok(CLEAN),
                }
            }
            What::Probe { paths } => {
                let paths = parse(&paths)?;
                let answers = each(&settings, &self.targets, |client| {
                    let paths = paths.clone();
                    async move { tool::probe(&client, paths).await }
                })
                .await;
                finish(answers, format, |target, rows| {
                    let table = rows.iter().map(|row| vec![target.to_owned(), row.path.to_string(), row.verdicts.join("  ")]).collect();
                    (
                        table,
                        vec![
                            json!({"target": target, "paths": rows.iter().map(|row| json!({"path": row.path, "verdicts": row.verdicts})).collect::<Vec<_>>()}),
                        ],
                    )
                })
            }
        }
    }
}

fn parse(texts: &[String]) -> Result<Vec<Path>, Failure> {
    texts.iter().map(|text| Path::parse(text).map_err(|error| Failure::new(error.to_string()))).collect()
}

/// `PATH=JSON`: the first `=` outside brackets divides. What is no JSON is a text.
fn assignment(text: &str) -> Result<(Path, Json), Failure> {
    let (path, value) = divide(text)?;
    Ok((path, serde_json::from_str(value).unwrap_or_else(|_| Json::from(value))))
}

fn from_file(text: &str) -> Result<(Path, Json), Failure> {
    let (path, file) = divide(text)?;
    let file = PathBuf::from(file);
    let text = std::fs::read_to_string(&file).map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    let json = serde_json::from_str(&text).map_err(|error| Failure::new(format!("{} is no JSON: {error}", file.display())))?;
    Ok((path, json))
}

fn divide(text: &str) -> Result<(Path, &str), Failure> {
    let mut depth = 0usize;
    let at = text.char_indices().find(|(_, c)| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        *c == '=' && depth == 0
    });
    let Some((at, _)) = at else { return Err(Failure::new(format!("`{text}` is not PATH=VALUE"))) };
    let path = Path::parse(&text[..at]).map_err(|error| Failure::new(error.to_string()))?;
    Ok((path, &text[at + 1..]))
}

/// The same call to every target at once, answers in the order of the targets.
async fn each<T, F>(settings: &Settings, targets: &[String], call: impl Fn(Client) -> F) -> Vec<(String, Result<T, engine::Error>)>
where
    T: Send + 'static,
    F: Future<Output = Result<T, engine::Error>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for (index, target) in targets.iter().enumerate() {
        match tool::connect(settings, target).await {
            Ok(client) => {
                let answer = call(client);
                tasks.spawn(async move { (index, answer.await) });
            }
            Err(error) => _ = tasks.spawn(async move { (index, Err(error)) }),
        }
    }
    let mut answers = BTreeMap::new();
    while let Some(ended) = tasks.join_next().await {
        if let Ok((index, answer)) = ended {
            answers.insert(index, answer);
        }
    }
    answers.into_iter().filter_map(|(index, answer)| Some((targets.get(index)?.clone(), answer))).collect()
}

/// Prints what came and what failed.
fn finish<T>(
    answers: Vec<(String, Result<T, engine::Error>)>,
    format: Format,
    print: impl Fn(&str, &T) -> (Vec<Vec<String>>, Vec<Json>),
) -> Exit {
    let (mut rows, mut documents, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for (target, answer) in answers {
        match answer {
            Ok(answer) => {
                let (more, docs) = print(&target, &answer);
                rows.extend(more);
                documents.extend(docs);
            }
            Err(error) => {
                documents.push(json!({"target": target, "error": error.to_string()}));
                failed.push((target, error));
            }
        }
    }
    match format {
        Format::Table => out::data(&out::table(&rows)),
        Format::Flat => out::data(&rows.iter().map(|row| row.join("\t") + "\n").collect::<String>()),
        Format::Json => out::json(&documents, true)?,
        Format::Ndjson => documents.iter().try_for_each(|document| out::json(document, false))?,
    }
    failures(failed)
}

fn failures(failed: Vec<(String, engine::Error)>) -> Exit {
    let Some((_, first)) = failed.first() else { return Ok(CLEAN) };
    let hint = first.hint();
    let said: Vec<_> = failed.iter().map(|(_, error)| error.to_string()).collect();
    Err(Failure::new(said.join("; ")).hint(hint).code(ERROR))
}

fn document(row: &Row) -> Json {
    json!({"target": row.target, "received": row.received, "timestamp": row.stamp, "path": row.path, "value": row.value.as_ref().map(Value::to_json), "deleted": row.value.is_none()})
}

/// One line a leaf: a JSON container is opened as far as its members are plain.
fn cells(row: &Row) -> Vec<Vec<String>> {
    let line = |path: String, value: String| vec![row.target.clone(), path, value];
    match &row.value {
        None => vec![line(row.path.to_string(), "(deleted)".into())],
        Some(Value::Json(json)) => {
            let mut lines = Vec::new();
            open(row.path.to_string(), json, &mut |path, value| lines.push(line(path, value)));
            lines
        }
        Some(value) => vec![line(row.path.to_string(), value.to_string())],
    }
}

fn open(at: String, json: &Json, tell: &mut impl FnMut(String, String)) {
    let below = |name: &str| format!("{}/{name}", at.trim_end_matches('/'));
    match json {
        Json::Object(members) => members.iter().for_each(|(name, member)| open(below(name), member, tell)),
        Json::Array(items) if items.iter().any(Json::is_object) => {
            items.iter().enumerate().for_each(|(index, item)| open(format!("{at}[{index}]"), item, tell));
        }
        Json::String(text) => tell(at, text.clone()),
        other => tell(at, other.to_string()),
    }
}

fn show(row: &Row, format: Format) {
    match format {
        Format::Json | Format::Ndjson => _ = out::json(&document(row), false),
        Format::Table | Format::Flat => out::data(&cells(row).iter().map(|line| line.join("\t") + "\n").collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_divides_outside_brackets() {
        let (path, value) = assignment("/interfaces/interface[name=Ethernet1]/config/mtu=9214").ok().unwrap();
        assert_eq!((path.name(), value), ("mtu", json!(9214)));
        let (_, value) = assignment("/system/config/hostname=leaf1").ok().unwrap();
        assert_eq!(value, json!("leaf1"));
        assert!(assignment("/a[b=c]").is_err());
    }

    #[test]
    fn containers_open_into_lines() {
        let row = Row {
            target: "leaf1".into(),
            received: 0,
            stamp: 0,
            path: Path::parse("/a").unwrap(),
            value: Some(Value::from_json(&json!({"b": {"c": 1}, "d": [{"e": "x"}], "f": [1, 2]}))),
        };
        let lines: Vec<_> = cells(&row).into_iter().map(|line| line[1..].join(" ")).collect();
        assert_eq!(lines, ["/a/b/c 1", "/a/d[0]/e x", "/a/f [1,2]"]);
    }
}
