//! Branches (netbox-branching 1.2): copies of the objects that are written apart, compared with main, and merged into it.
//!
//! A branch is `new` when it is made and `ready` a moment later, a merge is a job that is done a moment later: both when somebody next asks.
//! What the plugin does not branch (webhooks, event rules, custom fields, branches) is main's everywhere. Nothing here knows HTTP.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::changelog::{Action, Request, flat};
use super::edit::Books;
use super::kind::{KindId, Shape};
use super::order::jsonb;
use super::render::View;
use super::rest::iso;
use super::store::{Object, Store};

/// From a branch's making to its being ready, and from a merge's asking to its being done, in microseconds. The real one needs seconds.
pub const DELAY: i64 = 200_000;

/// All branches that are ready, and the jobs.
#[derive(Debug, Clone, Default)]
pub struct Branches {
    copies: BTreeMap<u64, Copy>,
    jobs: Vec<Job>,
}

/// One branch's objects.
#[derive(Debug, Clone)]
pub struct Copy {
    /// Its objects and its own log.
    pub books: Books,
    /// The objects when it was made.
    base: Store,
}

/// What a job does with a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Brings its changes into main.
    Merge,
    /// Brings main's changes into it.
    Sync,
    /// Takes its changes out of main again.
    Revert,
}

/// Somebody asks for a job.
pub struct Asked<'a> {
    /// What to do.
    pub work: Work,
    /// With which branch.
    pub branch: u64,
    /// `commit`, `acknowledge_conflicts`.
    pub body: &'a Value,
    /// Who asks.
    pub user: &'a str,
    /// When, in microseconds.
    pub now: i64,
}

/// Why a job is not begun.
pub enum Refused {
    /// The text of a 400.
    Text(&'static str),
    /// The body of a 409.
    Conflicts(Value),
}

#[derive(Debug, Clone)]
struct Job {
    id: u64,
    work: Work,
    branch: u64,
    commit: bool,
    due: i64,
    created: i64,
    completed: Option<i64>,
    user: String,
    changes: usize,
}

/// What a caller's branch is.
#[derive(Debug, PartialEq, Eq)]
pub enum Active {
    /// None: main.
    Main,
    /// This one.
    Branch(u64),
    /// Named, but not to be used: the text of the 400.
    Refused(&'static str),
}

/// The kind of branches.
pub fn kind() -> KindId {
    KindId::of_model("netbox_branching.branch").unwrap_or(KindId(0))
}

/// Whether a kind is branched.
pub fn branched(kind: KindId) -> bool {
    !["extras.webhook", "extras.eventrule", "extras.customfield", "netbox_branching.branch"].contains(&kind.get().model)
}

fn text<'o>(object: &'o Object, name: &str) -> &'o str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl Branches {
    /// The branch a header or `_branch` names. A header for one that is not ready is refused, a parameter is as good as none.
    pub fn active(&self, main: &Store, header: Option<&str>, parameter: Option<&str>) -> Active {
        let Some(wanted) = header.or(parameter.filter(|name| !name.is_empty())) else { return Active::Main };
        let Some((id, branch)) = main.table(kind()).find(|(_, branch)| text(branch, "schema_id") == wanted) else {
            return Active::Refused("Invalid branch identifier");
        };
        match (text(branch, "status") == "ready" && self.copies.contains_key(&id), header) {
            (true, _) => Active::Branch(id),
            (false, Some(_)) => Active::Refused("Selected branch is not ready."),
            (false, None) => Active::Main,
        }
    }

    /// A ready branch.
    pub fn get(&self, id: u64) -> Option<&Copy> {
        self.copies.get(&id)
    }

    /// A ready branch, to be written. Ids of new objects are given out by main, so that they fit at a merge.
    pub fn open(&mut self, id: u64) -> Option<&mut Copy> {
        self.copies.get_mut(&id)
    }

    /// Does what is due by now.
    pub fn settle(&mut self, main: &mut Books, now: i64) {
        let mut new = Vec::new();
        for (id, branch) in main.store.table(kind()) {
            let made = text(branch, "created").parse::<jiff::Timestamp>().map_or(0, |time| time.as_microsecond());
            if text(branch, "status") == "new" && now >= made + DELAY {
                new.push(id);
            }
        }
        for id in new {
            set(&mut main.store, id, &[("status", json!("ready")), ("last_sync", json!(iso(now)))]);
            let base = main.store.clone();
            self.copies
                .insert(id, Copy { books: Books { store: base.clone(), log: Vec::new(), events: Vec::new(), number: main.number }, base });
        }
        self.copies.retain(|id, _| main.store.get(kind(), *id).is_some());
        let due: Vec<usize> =
            (0..self.jobs.len()).filter(|at| self.jobs.get(*at).is_some_and(|job| job.completed.is_none() && now >= job.due)).collect();
        for at in due {
            let Some(job) = self.jobs.get_mut(at) else { continue };
            job.completed = Some(now);
            let Some(copy) = self.copies.get_mut(&job.branch) else { continue };
            job.changes = copy.changes().len();
            if !job.commit {
                continue;
            }
            match job.work {
                Work::Merge => {
                    let user = json!({"id": 1, "url": "/api/users/users/1/", "display": job.user, "username": job.user});
                    copy.merge(main, &job.user, now);
                    set(&mut main.store, job.branch, &[("status", json!("merged")), ("merged_time", json!(iso(now))), ("merged_by", user)]);
                }
                Work::Sync => {
                    copy.sync(&main.store);
                    set(&mut main.store, job.branch, &[("last_sync", json!(iso(now)))]);
                }
                Work::Revert => {
                    copy.revert(main, &job.user, now);
                    let empty = [("merged_time", Value::Null), ("merged_by", Value::Null)];
                    set(&mut main.store, job.branch, &[("status", json!("ready")), empty[0].clone(), empty[1].clone()]);
                }
            }
        }
    }

    /// Asks for a job; it is shown. Conflicts must be acknowledged, even for a rehearsal.
    pub fn ask(&mut self, asked: &Asked<'_>, main: &Books, base: &str) -> Result<Value, Refused> {
        let Asked { work, branch: id, body, user, now } = *asked;
        let (status, refusal) = match work {
            Work::Merge => ("ready", "Branch is not ready to merge."),
            Work::Sync => ("ready", "Branch is not ready to sync."),
            Work::Revert => ("merged", "Only merged branches can be reverted."),
        };
        let fits = main.store.get(kind(), id).is_some_and(|branch| text(branch, "status") == status);
        if !fits || !self.copies.contains_key(&id) {
            return Err(Refused::Text(refusal));
        }
        let said = |name: &str| body.get(name).and_then(Value::as_bool);
        let conflicts = self.conflicts(&main.store, id, base);
        if work != Work::Revert && !conflicts.is_empty() && said("acknowledge_conflicts") != Some(true) {
            let detail = "All conflicts must be acknowledged before this action can proceed.";
            return Err(Refused::Conflicts(json!({"detail": detail, "conflicts": conflicts})));
        }
        let (number, commit) = (self.jobs.last().map_or(1, |job| job.id + 1), said("commit").unwrap_or(true));
        let (due, user) = (now + DELAY, user.to_owned());
        self.jobs.push(Job { id: number, work, branch: id, commit, due, created: now, completed: None, user, changes: 0 });
        Ok(self.job(&main.store, number, base).unwrap_or_default())
    }

    /// Fields that a branch and main both changed, as a 409 shows them.
    fn conflicts(&self, main: &Store, id: u64, base: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        for (_, shown) in self.changes(main, base).into_iter().filter(|(branch, _)| *branch == id) {
            let Some(names) = shown["conflicts"].as_array().filter(|names| !names.is_empty()) else { continue };
            let part = |side: &str| -> Map<String, Value> {
                let names = names.iter().filter_map(Value::as_str);
                names.map(|name| (name.to_owned(), shown["diff"][side][name].clone())).collect()
            };
            let data = json!({"original": part("original"), "branch": part("modified"), "main": part("current")});
            let mut row = Map::new();
            for name in ["id", "object_type", "object_id", "object_repr", "action", "conflicts"] {
                row.insert(name.to_owned(), shown[name].clone());
            }
            row.insert("conflicting_data".to_owned(), data);
            row.insert("last_updated".to_owned(), shown["last_updated"].clone());
            rows.push(Value::Object(row));
        }
        rows
    }

    /// Ends a merged branch. `Err` is the text of a 400.
    pub fn archive(&mut self, main: &mut Books, id: u64) -> Result<(), &'static str> {
        if main.store.get(kind(), id).is_none_or(|branch| text(branch, "status") != "merged") {
            return Err("Only merged branches can be archived.");
        }
        set(&mut main.store, id, &[("status", json!("archived"))]);
        self.copies.remove(&id);
        Ok(())
    }

    /// A job, as shown.
    pub fn job(&self, main: &Store, id: u64, base: &str) -> Option<Value> {
        let job = self.jobs.iter().find(|job| job.id == id)?;
        let view = View::new(main, base);
        let status = if job.completed.is_some() { ("completed", "Completed") } else { ("pending", "Pending") };
        let time = job.completed.map(iso);
        let data = job.completed.map(|_| json!({"log": [], "report": [], "changes_summary": {"updates_total": job.changes}}));
        let user = &job.user;
        let title = match job.work {
            Work::Merge => "Merge branch",
            Work::Sync => "Sync branch",
            Work::Revert => "Revert branch",
        };
        Some(json!({
            "id": id,
            "url": format!("{base}/api/core/jobs/{id}/"),
            "display_url": format!("{base}/core/jobs/{id}/"),
            "display": title,
            "object_type": "netbox_branching.branch",
            "object_id": job.branch,
            "object": view.nested(kind(), job.branch, Shape::Brief),
            "name": title,
            "status": {"value": status.0, "label": status.1},
            "created": iso(job.created),
            "scheduled": null,
            "interval": null,
            "started": time,
            "completed": time,
            "execution_time": job.completed.map(|_| "00:00:00"),
            "user": {"id": 1, "url": format!("{base}/api/users/users/1/"), "display": user, "username": user},
            "data": data,
            "error": "",
            "job_id": format!("00000000-0000-4000-a000-{id:012}"),
            "queue_name": "default",
            "notifications": {"value": "always", "label": "Always"},
            "log_entries": [],
        }))
    }

    /// What the branches changed, newest first, as shown: `(branch, difference)`.
    pub fn changes(&self, main: &Store, base: &str) -> Vec<(u64, Value)> {
        let mut shown = Vec::new();
        for (branch, copy) in &self.copies {
            for change in copy.changes() {
                let number = shown.len() + 1;
                shown.push((*branch, copy.shown(main, *branch, &change, number, base)));
            }
        }
        shown.reverse();
        shown
    }
}

fn set(store: &mut Store, id: u64, fields: &[(&str, Value)]) {
    let Some(mut branch) = store.get(kind(), id).cloned() else { return };
    for (name, value) in fields {
        branch.insert((*name).to_owned(), value.clone());
    }
    store.put(kind(), id, branch);
}

/// What a branch did to one object.
struct Change {
    kind: KindId,
    id: u64,
    action: Action,
    time: Value,
}

impl Copy {
    /// Objects that are not as they were, in the order of the branch's log.
    fn changes(&self) -> Vec<Change> {
        let mut changes: Vec<Change> = Vec::new();
        for entry in &self.books.log {
            let Some(kind) = KindId::of_model(&entry.object.0) else { continue };
            let id = entry.object.1;
            let action = match (self.base.get(kind, id), self.books.store.get(kind, id)) {
                (None, None) => continue,
                (None, Some(_)) => Action::Create,
                (Some(_), None) => Action::Delete,
                (Some(_), Some(_)) => Action::Update,
            };
            let time = entry.get("time").cloned().unwrap_or_default();
            match changes.iter_mut().find(|change| (change.kind, change.id) == (kind, id)) {
                Some(change) => change.time = time,
                None => changes.push(Change { kind, id, action, time }),
            }
        }
        changes
    }

    fn shown(&self, main: &Store, branch: u64, change: &Change, number: usize, base: &str) -> Value {
        let (kind, id) = (change.kind, change.id);
        let data = |store: &Store| store.get(kind, id).map_or(Value::Null, |object| jsonb(flat(&View::new(store, ""), kind, id, object)));
        let [original, modified, current] = [&self.base, &self.books.store, main].map(data);
        let differ = |name: &String| original.get(name) != modified.get(name);
        let names: Vec<String> = match change.action {
            Action::Update => modified.as_object().into_iter().flatten().map(|(name, _)| name.clone()).filter(differ).collect(),
            _ => Vec::new(),
        };
        let part = |data: &Value| -> Map<String, Value> {
            names.iter().map(|name| (name.clone(), data.get(name).cloned().unwrap_or_default())).collect()
        };
        let conflicts: Vec<&String> =
            names.iter().filter(|name| current.get(*name) != original.get(*name) && current.get(*name) != modified.get(*name)).collect();
        let view = View::new(main, base);
        let (shown_by, repr) = match change.action {
            Action::Create => (&self.books.store, "Created"),
            Action::Update => (&self.books.store, "Updated"),
            Action::Delete => (&self.base, "Deleted"),
        };
        let name = View::new(shown_by, "").display(kind, id);
        let (value, label) = change.action.value();
        json!({
            "id": number,
            "url": format!("{base}/api/plugins/branching/changes/{number}/"),
            "display": format!("{repr} {} {name} ({id})", kind.get().label.1),
            "branch": view.nested(self::kind(), branch, Shape::Brief),
            "object_type": kind.get().model,
            "object_id": id,
            "object": view.nested(kind, id, Shape::Brief),
            "object_repr": name,
            "action": {"value": value, "label": label},
            "conflicts": if conflicts.is_empty() { Value::Null } else { json!(conflicts) },
            "diff": {"original": part(&original), "modified": part(&modified), "current": part(&current)},
            "original_data": original,
            "modified_data": modified,
            "current_data": current,
            "last_updated": change.time,
        })
    }

    /// Brings the changes into main, entry by entry of the log: who made a change in the branch made it in main.
    fn merge(&self, main: &mut Books, user: &str, now: i64) {
        for change in self.changes() {
            let (kind, id) = (change.kind, change.id);
            let entry = self.books.log.iter().rev().find(|entry| entry.object == (kind.get().model.to_owned(), id));
            let from = |name: &str| entry.and_then(|entry| entry.get(name)).and_then(Value::as_str).unwrap_or_default().to_owned();
            let who = from("user_name");
            let request = Request {
                id: from("request_id"),
                user: if who.is_empty() { user.to_owned() } else { who },
                time: iso(now),
                message: from("message"),
            };
            match (change.action, self.books.store.get(kind, id)) {
                (Action::Delete, _) => _ = main.delete(kind, id, &request), // gone in main too, or still needed there
                (_, Some(modified)) => main.bring(kind, id, self.base.get(kind, id), modified, &request),
                (_, None) => {}
            }
        }
    }
}

impl Copy {
    /// Brings main's changes since the making, or the last of these, into the branch: on both sides changed, main's counts.
    fn sync(&mut self, main: &Store) {
        for kind in KindId::all().filter(|kind| branched(*kind)) {
            for (id, now) in main.table(kind) {
                let Some(base) = self.base.get(kind, id) else {
                    self.books.store.put(kind, id, now.clone());
                    continue;
                };
                let moved = now.iter().filter(|(name, value)| base.get(*name) != Some(*value));
                let moved: Vec<(String, Value)> = moved.map(|(name, value)| (name.clone(), value.clone())).collect();
                if let Some(mut own) = self.books.store.get(kind, id).filter(|_| !moved.is_empty()).cloned() {
                    own.extend(moved);
                    self.books.store.put(kind, id, own);
                }
            }
            for (id, _) in self.base.table(kind).filter(|(id, _)| main.get(kind, *id).is_none()) {
                self.books.store.remove(kind, id);
            }
        }
        self.base = main.clone();
    }

    /// Takes the changes of a merged branch out of main: what it changed is as it was when the branch was made.
    fn revert(&self, main: &mut Books, user: &str, now: i64) {
        let request = Request { id: format!("revert-{now}"), user: user.to_owned(), time: iso(now), message: String::new() };
        for change in self.changes().iter().rev() {
            let (kind, id) = (change.kind, change.id);
            match self.base.get(kind, id) {
                Some(before) => main.bring(kind, id, self.books.store.get(kind, id), before, &request),
                None => _ = main.delete(kind, id, &request),
            }
        }
    }
}

#[cfg(test)]
mod tests;
