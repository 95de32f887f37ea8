//! One expression a route: it is served, and it stands in the OpenAPI document.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, schema::Schema};

use crate::problem::{self, Row};

/// What the document says about one route.
pub(crate) struct Operation {
    id: &'static str,
    summary: &'static str,
    tag: &'static str,
    signed_in: bool,
    body: Option<String>,
    answers: BTreeMap<u16, (&'static str, Option<String>)>,
    files: (&'static str, &'static [&'static str]),
    headers: Vec<Value>,
    queries: Vec<Value>,
    tagged: bool,
    problems: Vec<&'static Row>,
    schemas: Vec<(String, RefOr<Schema>)>,
}

/// A route with an id of its own, in the group `tag`.
pub(crate) fn operation(id: &'static str, tag: &'static str, summary: &'static str) -> Operation {
    Operation {
        id,
        summary,
        tag,
        signed_in: true,
        body: None,
        answers: BTreeMap::new(),
        files: ("", &[]),
        headers: Vec::new(),
        queries: Vec::new(),
        tagged: false,
        problems: vec![problem::MALFORMED, problem::NOT_FOUND, problem::TOO_LARGE, problem::UNAVAILABLE],
        schemas: Vec::new(),
    }
}

fn reference<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) -> String {
    let name = T::name().into_owned();
    T::schemas(schemas);
    schemas.push((name.clone(), T::schema()));
    name
}

impl Operation {
    /// Served without a session.
    pub(crate) fn open(mut self) -> Self {
        self.signed_in = false;
        self
    }

    /// Takes a JSON body.
    pub(crate) fn takes<T: ToSchema>(mut self) -> Self {
        self.body = Some(reference::<T>(&mut self.schemas));
        self.problems.push(problem::MEDIA_TYPE);
        self
    }

    /// Answers with a JSON body.
    pub(crate) fn gives<T: ToSchema>(mut self, status: u16, what: &'static str) -> Self {
        let name = reference::<T>(&mut self.schemas);
        self.answers.insert(status, (what, Some(name)));
        self
    }

    /// Answers with a file of one of these media types.
    pub(crate) fn sends(mut self, what: &'static str, media_types: &'static [&'static str]) -> Self {
        self.files = (what, media_types);
        self
    }

    /// Answers without a body.
    pub(crate) fn done(mut self) -> Self {
        self.answers.insert(204, ("Done.", None));
        self
    }

    /// Answers with an entity tag.
    pub(crate) const fn tagged(mut self) -> Self {
        self.tagged = true;
        self
    }

    /// Takes a parameter in the query.
    pub(crate) fn query(mut self, name: &str, schema: &Value, what: &str) -> Self {
        self.queries
            .push(json!({"name": name, "in": "query", "required": false, "schema": schema, "description": what}));
        self
    }

    fn header(mut self, name: &str, required: bool, schema: &Value, what: &str) -> Self {
        let header = json!({"name": name, "in": "header", "required": required, "schema": schema, "description": what});
        self.headers.push(header);
        self
    }

    /// Needs the version that the caller saw.
    pub(crate) fn versioned(self) -> Self {
        let tag = json!({"type": "string", "pattern": "^\"v[0-9]+\"$"});
        let mut operation = self.header("If-Match", true, &tag, "The entity tag of what is changed.");
        operation.problems.extend([problem::STALE, problem::PRECONDITION_NEEDED]);
        operation
    }

    /// May be repeated safely with an idempotency key.
    pub(crate) fn idempotent(self) -> Self {
        let key = json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{8,64}$"});
        let what = "Makes a repetition safe: the same key and body give the first answer again, for 24 hours.";
        let mut operation = self.header("Idempotency-Key", false, &key, what);
        operation.problems.push(problem::IDEMPOTENCY_REUSED);
        operation
    }

    /// May ask for a confirmation.
    pub(crate) fn confirmed(self) -> Self {
        let id = json!({"type": "string", "pattern": "^[0-9a-f]{64}$"});
        let mut operation = self.header("Latchkey-Step-Up", false, &id, "The ceremony that confirms this change.");
        operation.problems.extend([problem::STEP_UP_NEEDED, problem::STEP_UP_WRONG, problem::TOO_MANY_ATTEMPTS]);
        operation
    }

    /// May be refused in these ways besides the common ones.
    pub(crate) fn refused(mut self, rows: &[&'static Row]) -> Self {
        self.problems.extend(rows);
        self
    }

    /// Changes an account or a key: every rule may speak.
    pub(crate) fn changes(self) -> Self {
        self.refused(&[problem::RULE, problem::BUSY, problem::INVALID, problem::NOT_ALLOWED])
    }

    fn document(&self, path: &str) -> Value {
        let path_parameters = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let parameters: Vec<Value> = path_parameters
            .map(|name| json!({"name": name, "in": "path", "required": true, "schema": segment(name)}))
            .chain(self.headers.iter().cloned())
            .chain(self.queries.iter().cloned())
            .collect();
        let security = if self.signed_in { json!([{"bearer": []}, {"cookie": []}]) } else { json!([]) };
        let mut document = Map::new();
        let members = [
            ("operationId", self.id.into()),
            ("summary", self.summary.into()),
            ("tags", json!([self.tag])),
            ("parameters", parameters.into()),
            ("responses", self.responses().into()),
            ("security", security),
        ];
        document.extend(members.map(|(name, value)| (name.to_owned(), value)));
        if let Some(name) = &self.body {
            let content = json!({"application/json": {"schema": link(name)}});
            document.insert("requestBody".to_owned(), json!({"required": true, "content": content}));
        }
        document.into()
    }

    fn responses(&self) -> Map<String, Value> {
        let mut responses = Map::new();
        for (status, (what, body)) in &self.answers {
            let mut response = Map::new();
            response.insert("description".to_owned(), json!(what));
            if let Some(name) = body {
                response.insert("content".to_owned(), json!({"application/json": {"schema": link(name)}}));
            }
            if self.tagged {
                let tag = json!({"ETag": {"schema": {"type": "string"}, "description": "The version."}});
                response.insert("headers".to_owned(), tag);
            }
            responses.insert(status.to_string(), response.into());
        }
        let (what, media_types) = self.files;
        if !media_types.is_empty() {
            let content: Map<String, Value> =
                media_types.iter().map(|kind| ((*kind).to_owned(), json!({"schema": {"type": "string"}}))).collect();
            responses.insert("200".to_owned(), json!({"description": what, "content": content}));
        }
        let mut problems = self.problems.clone();
        if self.signed_in {
            problems.extend([problem::SIGN_IN_NEEDED, problem::CSRF, problem::ACCOUNT_UNKNOWN]);
        }
        let mut by_status: BTreeMap<u16, Vec<&Row>> = BTreeMap::new();
        for row in problems {
            let rows = by_status.entry(row.status).or_default();
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        for (status, rows) in by_status {
            let named: Vec<String> = rows.iter().map(|row| format!("`{}`: {}", row.name, row.title)).collect();
            let content = json!({"application/problem+json": {"schema": link("Problem")}});
            responses.insert(status.to_string(), json!({"description": named.join(" "), "content": content}));
        }
        responses
    }
}

fn link(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// What a segment of a path looks like.
fn segment(name: &str) -> Value {
    match name {
        "account" => {
            json!({"type": "string", "pattern": "^(me|[1-9][0-9]{0,17})$", "description": "`me`, or the uid of a sub-account."})
        }
        "key" => json!({"type": "string", "format": "uuid"}),
        "step_up" => json!({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
        _ => json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}),
    }
}

/// The routes of the management API with what the document says about them.
pub(crate) struct Routes<S> {
    router: Router<S>,
    paths: BTreeMap<String, Map<String, Value>>,
    schemas: BTreeMap<String, Value>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { router: Router::new(), paths: BTreeMap::new(), schemas: BTreeMap::new() }
    }

    /// Serves `handler` at a method and path, and documents it.
    pub(crate) fn add<H, T>(mut self, method: MethodFilter, path: &str, handler: H, operation: Operation) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let name = match method {
            MethodFilter::GET => "get",
            MethodFilter::POST => "post",
            MethodFilter::PATCH => "patch",
            MethodFilter::PUT => "put",
            _ => "delete",
        };
        let item = self.paths.entry(path.to_owned()).or_default();
        item.insert(name.to_owned(), operation.document(path));
        for (schema_name, schema) in operation.schemas {
            if let Ok(value) = serde_json::to_value(schema) {
                self.schemas.insert(schema_name, value);
            }
        }
        self.router = self.router.route(path, on(method, handler));
        self
    }

    /// The router, and the document as text.
    pub(crate) fn finish(self, origin: &str) -> (Router<S>, Arc<str>) {
        let mut schemas = self.schemas;
        schemas.insert("Problem".to_owned(), problem_schema());
        let document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Latchkey management API",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "Accounts, API keys, second factors and confirmations of an owner.",
                "license": {"name": "Apache-2.0 OR MIT"},
            },
            "servers": [{"url": origin}],
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer"},
                    "cookie": {"type": "apiKey", "in": "cookie", "name": crate::cookie::SESSION},
                },
            },
        });
        (self.router, document.to_string().into())
    }
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "Problem details (RFC 9457). Further members depend on the type.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "description": "A link to the documentation."},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "field": {"type": "string", "description": "The field of the body that is refused."},
            "stepUp": {
                "type": "object",
                "required": ["id", "needs", "expires"],
                "properties": {
                    "id": {"type": "string"},
                    "needs": {"type": "array", "items": {"type": "string"}},
                    "expires": {"type": "integer"},
                },
            },
        },
    })
}
