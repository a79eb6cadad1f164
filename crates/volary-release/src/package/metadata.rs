//! The metadata formats of a package, each a function of the manifest: Croissant 1.1 with its
//! responsible-AI terms, RO-Crate 1.3, Frictionless data package, DataCite 4.5, CITATION.cff 1.2, W3C PROV.

use serde_json::{Map, Value, json};

use super::manifest::{FileEntry, Manifest};
use crate::tier::Kind;

/// `croissant.json` (MLCommons Croissant 1.1, RAI 1.0).
///
/// `rai:dataCollectionTimeFrame` and its like are spelt as `mlcroissant` reads them, which is not always as
/// the vocabulary's prose has them.
pub(crate) fn croissant(m: &Manifest<'_>) -> Value {
    let s = m.settings;
    let mut distribution = Vec::new();
    let mut records = Vec::new();
    for table in &m.tables {
        for file in &table.files {
            distribution.push(json!({
                "@type": "cr:FileObject",
                "@id": file.slug(),
                "name": file.slug(),
                "description": file.about,
                "contentUrl": file.path,
                "encodingFormat": croissant_format(file),
                "contentSize": format!("{} B", file.n_bytes),
                "sha256": file.sha256,
            }));
        }
        let Some(source) = table.file(".parquet") else { continue };
        let name = table.written.table.name();
        let fields: Vec<Value> = table
            .written
            .columns
            .iter()
            .map(|c| {
                json!({
                    "@type": "cr:Field",
                    "@id": format!("{name}/{}", c.name),
                    "name": c.name,
                    "description": c.about,
                    "dataType": match c.kind {
                        Kind::Text => "sc:Text",
                        Kind::Count | Kind::Integer => "sc:Integer",
                        Kind::Number => "sc:Float",
                    },
                    "source": {
                        "fileObject": {"@id": source.slug()},
                        "extract": {"column": c.name},
                    },
                })
            })
            .collect();
        records.push(json!({
            "@type": "cr:RecordSet",
            "@id": name,
            "name": name,
            "description": table.written.table.about(),
            "field": fields,
        }));
    }
    let r = &s.responsible;
    let biases: Vec<String> = m.biases.biases.iter().map(|b| format!("{}: {}", b.id, b.what)).collect();
    let none = vec!["None are known.".to_owned()];
    let mut out = json!({
        "@context": croissant_context(),
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": s.title,
        "description": s.description,
        "version": s.version,
        "datePublished": s.date,
        "license": s.licence_url(),
        "citeAs": m.citation(),
        "creator": s.creators.iter().map(|c| {
            let mut person = json!({"@type": "sc:Person", "name": c.name()});
            if let Some(orcid) = &c.orcid {
                person["url"] = json!(format!("https://orcid.org/{orcid}"));
            }
            person
        }).collect::<Vec<_>>(),
        "publisher": {"@type": "sc:Organization", "name": s.publisher},
        "keywords": s.keywords,
        "distribution": distribution,
        "recordSet": records,
        "rai:dataCollection": r.collection,
        "rai:dataAnnotationProtocol": r.protocol,
        "rai:dataAnnotationPlatform": r.platform,
        "rai:annotationsPerItem": format!("{:.1} votes a subject and question", m.votes_per_subject),
        "rai:annotatorDemographics": r.annotators,
        "rai:dataUseCases": r.uses,
        "rai:dataLimitations": r.limits,
        "rai:dataBiases": if biases.is_empty() { &none } else { &biases },
        "rai:personalSensitiveInformation": m.personal(),
        "rai:dataReleaseMaintenancePlan": r.maintenance,
    });
    if !r.machines.is_empty() {
        out["rai:machineAnnotationTools"] = json!(r.machines);
    }
    if let Some(address) = m.address() {
        out["url"] = json!(address);
    }
    out
}

fn croissant_format(file: &FileEntry) -> &'static str {
    // What mlcroissant calls Parquet; the registered name is not known to it.
    if file.path.ends_with(".parquet") { "application/x-parquet" } else { file.media_type }
}

fn croissant_context() -> Value {
    json!({
        "@language": "en",
        "@vocab": "https://schema.org/",
        "arrayShape": "cr:arrayShape",
        "citeAs": "cr:citeAs",
        "column": "cr:column",
        "conformsTo": "dct:conformsTo",
        "containedIn": "cr:containedIn",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "dct": "http://purl.org/dc/terms/",
        "description": {"@container": "@language"},
        "equivalentProperty": "cr:equivalentProperty",
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "extract": "cr:extract",
        "field": "cr:field",
        "fileProperty": "cr:fileProperty",
        "fileObject": "cr:fileObject",
        "fileSet": "cr:fileSet",
        "format": "cr:format",
        "includes": "cr:includes",
        "isArray": "cr:isArray",
        "isLiveDataset": "cr:isLiveDataset",
        "jsonPath": "cr:jsonPath",
        "key": "cr:key",
        "md5": "cr:md5",
        "name": {"@container": "@language"},
        "parentField": "cr:parentField",
        "path": "cr:path",
        "recordSet": "cr:recordSet",
        "references": "cr:references",
        "regex": "cr:regex",
        "repeated": "cr:repeated",
        "replace": "cr:replace",
        "samplingRate": "cr:samplingRate",
        "sc": "https://schema.org/",
        "separator": "cr:separator",
        "source": "cr:source",
        "subField": "cr:subField",
        "transform": "cr:transform",
    })
}

/// `ro-crate-metadata.json` (RO-Crate 1.3). `later` are files that are written after it.
pub(crate) fn ro_crate(m: &Manifest<'_>, later: &[&str]) -> Value {
    let s = m.settings;
    let mut graph = vec![json!({
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.3"},
    })];
    let people: Vec<String> = s
        .creators
        .iter()
        .enumerate()
        .map(|(i, c)| {
            c.orcid
                .as_ref()
                .map_or_else(|| format!("#creator-{i}"), |o| format!("https://orcid.org/{o}"))
        })
        .collect();
    let mut parts: Vec<Value> = m.files().map(|f| json!({"@id": f.path})).collect();
    parts.extend(later.iter().map(|path| json!({"@id": path})));
    let mut root = json!({
        "@id": "./",
        "@type": "Dataset",
        "name": s.title,
        "description": s.description,
        "version": s.version,
        "datePublished": s.date,
        "license": {"@id": s.licence_url()},
        "author": people.iter().map(|id| json!({"@id": id})).collect::<Vec<_>>(),
        "publisher": {"@id": "#publisher"},
        "keywords": s.keywords.join(", "),
        "hasPart": parts,
    });
    if let Some(address) = m.address() {
        root["identifier"] = json!(address);
    }
    graph.push(root);
    for file in m.files() {
        graph.push(json!({
            "@id": file.path,
            "@type": "File",
            "name": file.path,
            "description": file.about,
            "encodingFormat": file.media_type,
            "contentSize": file.n_bytes.to_string(),
            "sha256": file.sha256,
        }));
    }
    for path in later {
        graph.push(json!({
            "@id": path,
            "@type": "File",
            "name": path,
            "description": "Written last, after everything that it describes",
            "encodingFormat": super::manifest::media_type(path),
        }));
    }
    let mut organisations: Vec<&str> = Vec::new();
    for (creator, id) in s.creators.iter().zip(&people) {
        let mut person = json!({
            "@id": id,
            "@type": "Person",
            "name": creator.name(),
            "givenName": creator.given,
            "familyName": creator.family,
        });
        if let Some(affiliation) = &creator.affiliation {
            let at = organisations.iter().position(|o| o == affiliation).unwrap_or_else(|| {
                organisations.push(affiliation);
                organisations.len() - 1
            });
            person["affiliation"] = json!({"@id": format!("#organisation-{at}")});
        }
        graph.push(person);
    }
    for (i, name) in organisations.iter().enumerate() {
        graph.push(json!({"@id": format!("#organisation-{i}"), "@type": "Organization", "name": name}));
    }
    graph.push(json!({"@id": "#publisher", "@type": "Organization", "name": s.publisher}));
    graph.push(json!({
        "@id": s.licence_url(),
        "@type": "CreativeWork",
        "name": s.licence_name(),
        "description": format!("SPDX: {}", s.licence),
        "url": s.licence_url(),
    }));
    json!({"@context": "https://w3id.org/ro/crate/1.3/context", "@graph": graph})
}

/// `datapackage.json` (Frictionless Data Package).
pub(crate) fn data_package(m: &Manifest<'_>) -> Value {
    let s = m.settings;
    let mut resources = Vec::new();
    for table in &m.tables {
        for file in &table.files {
            let mut resource = json!({
                "name": file.slug(),
                "path": file.path,
                "description": file.about,
                "mediatype": file.media_type,
                "bytes": file.n_bytes,
                "hash": format!("sha256:{}", file.sha256),
            });
            if file.path.ends_with(".csv") {
                resource["profile"] = json!("tabular-data-resource");
                resource["type"] = json!("table");
                resource["format"] = json!("csv");
                resource["encoding"] = json!("utf-8");
                resource["rows"] = json!(table.written.n_rows);
                resource["schema"] = table_schema(table.written.columns);
            } else {
                resource["type"] = json!("file");
            }
            resources.push(resource);
        }
    }
    let mut out = json!({
        "profile": "data-package",
        "name": s.project.to_ascii_lowercase(),
        "title": s.title,
        "description": s.description,
        "version": s.version,
        "created": format!("{}T00:00:00Z", s.date),
        "keywords": s.keywords,
        "licenses": [{"name": s.licence, "path": s.licence_url(), "title": s.licence_name()}],
        "contributors": s.creators.iter().map(|c| {
            let mut one = json!({"title": c.name(), "role": "author"});
            if let Some(affiliation) = &c.affiliation {
                one["organization"] = json!(affiliation);
            }
            one
        }).collect::<Vec<_>>(),
        "volary:tier": s.tier,
        "resources": resources,
    });
    // The format wants at least one word, or no list.
    if s.keywords.is_empty()
        && let Some(map) = out.as_object_mut()
    {
        map.remove("keywords");
    }
    if let Some(address) = m.address() {
        out["homepage"] = json!(address);
    }
    if let Some(version) = &m.policy_version {
        out["volary:policy"] = json!(version);
    }
    out
}

fn table_schema(columns: &[crate::tier::Column]) -> Value {
    let fields: Vec<Value> = columns
        .iter()
        .map(|c| {
            let mut field = json!({
                "name": c.name,
                "type": match c.kind {
                    Kind::Text => "string",
                    Kind::Count | Kind::Integer => "integer",
                    Kind::Number => "number",
                },
                "description": c.about,
            });
            let mut constraints = Map::new();
            // An empty text cell of a CSV cannot be told from a missing one.
            if !c.nullable && c.kind != Kind::Text {
                constraints.insert("required".into(), json!(true));
            }
            if c.name == "kind" {
                constraints.insert("enum".into(), json!(KINDS));
            }
            if c.name == "volunteer" {
                constraints.insert("pattern".into(), json!("[pq][a-z2-7]{16}"));
            }
            if !constraints.is_empty() {
                field["constraints"] = Value::Object(constraints);
            }
            field
        })
        .collect();
    json!({"fields": fields, "missingValues": [""]})
}

/// Kinds of questions that votes may be of.
pub(crate) const KINDS: [&str; 8] =
    ["unknown", "single", "multiple", "shortcut", "survey", "detail", "dropdown", "slider"];

/// `datacite.json` (DataCite metadata schema 4.5).
pub(crate) fn datacite(m: &Manifest<'_>) -> Value {
    let s = m.settings;
    let creators: Vec<Value> = s
        .creators
        .iter()
        .map(|c| {
            let mut one = json!({
                "name": format!("{}, {}", c.family, c.given),
                "nameType": "Personal",
                "givenName": c.given,
                "familyName": c.family,
            });
            if let Some(orcid) = &c.orcid {
                one["nameIdentifiers"] = json!([{
                    "nameIdentifier": format!("https://orcid.org/{orcid}"),
                    "nameIdentifierScheme": "ORCID",
                    "schemeUri": "https://orcid.org",
                }]);
            }
            if let Some(affiliation) = &c.affiliation {
                one["affiliation"] = json!([{"name": affiliation}]);
            }
            one
        })
        .collect();
    let mut out = json!({
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Citizen-science classifications"},
        "creators": creators,
        "titles": [{"title": s.title}],
        "publisher": {"name": s.publisher},
        "publicationYear": &s.date[..4],
        "dates": [{"date": s.date, "dateType": "Issued"}],
        "language": "en",
        "version": s.version,
        "subjects": s.keywords.iter().map(|k| json!({"subject": k})).collect::<Vec<_>>(),
        "rightsList": [{
            "rights": s.licence_name(),
            "rightsUri": s.licence_url(),
            "rightsIdentifier": s.licence,
            "rightsIdentifierScheme": "SPDX",
            "schemeUri": "https://spdx.org/licenses/",
        }],
        "descriptions": [{"description": s.description, "descriptionType": "Abstract"}],
        "formats": ["text/csv", "application/vnd.apache.parquet", "application/x-votable+xml"],
        "sizes": m.tables.iter()
            .map(|t| format!("{} rows of {}", t.written.n_rows, t.written.table.name()))
            .collect::<Vec<_>>(),
        "schemaVersion": "http://datacite.org/schema/kernel-4",
    });
    if let Some(doi) = &s.doi {
        out["doi"] = json!(doi);
    }
    if let Some(url) = &s.url {
        out["url"] = json!(url);
    }
    out
}

/// `CITATION.cff` (1.2.0). A JSON string is a YAML string, whatever is in it.
pub(crate) fn citation(m: &Manifest<'_>) -> String {
    let s = m.settings;
    let quoted = |text: &str| Value::from(text).to_string();
    let mut out = format!(
        "cff-version: 1.2.0\nmessage: \"If you use these data, please cite them as below.\"\ntype: dataset\ntitle: {}\nabstract: {}\nversion: {}\ndate-released: {}\nlicense: {}\n",
        quoted(&s.title),
        quoted(&s.description),
        quoted(&s.version),
        quoted(&s.date),
        s.licence
    );
    if let Some(doi) = &s.doi {
        out.push_str(&format!("doi: {}\n", quoted(doi)));
    }
    if let Some(url) = &s.url {
        out.push_str(&format!("url: {}\n", quoted(url)));
    }
    if !s.keywords.is_empty() {
        out.push_str("keywords:\n");
        for word in &s.keywords {
            out.push_str(&format!("  - {}\n", quoted(word)));
        }
    }
    out.push_str("authors:\n");
    for c in &s.creators {
        out.push_str(&format!(
            "  - family-names: {}\n    given-names: {}\n",
            quoted(&c.family),
            quoted(&c.given)
        ));
        if let Some(affiliation) = &c.affiliation {
            out.push_str(&format!("    affiliation: {}\n", quoted(affiliation)));
        }
        if let Some(orcid) = &c.orcid {
            out.push_str(&format!("    orcid: \"https://orcid.org/{orcid}\"\n"));
        }
    }
    out
}

/// `prov.json` (W3C PROV-JSON): what was made of what by which version of what. Agents are programs and the
/// team, never volunteers; of a path only the file's name is told, since a path may name its owner.
pub(crate) fn provenance(m: &Manifest<'_>) -> Value {
    let s = m.settings;
    let (mut entity, mut activity, mut agent) = (Map::new(), Map::new(), Map::new());
    let (mut used, mut generated, mut associated) = (Map::new(), Map::new(), Map::new());
    agent.insert(
        "volary:team".into(),
        json!({"prov:type": {"$": "prov:Organization", "type": "prov:QUALIFIED_NAME"}, "prov:label": s.publisher}),
    );
    let relate = |map: &mut Map<String, Value>, value: Value| {
        let id = format!("_:r{}", map.len() + 1);
        map.insert(id, value);
    };
    let told = |file: &Value| -> Option<(String, Value)> {
        let name = file.get("name").and_then(Value::as_str).unwrap_or_default();
        if let Some(hash) = file.get("blake3").and_then(Value::as_str) {
            return Some((
                format!("volary:blake3-{hash}"),
                json!({"prov:label": name, "volary:blake3": hash}),
            ));
        }
        let number = file.get("of_volunteers").and_then(Value::as_u64)?;
        Some((format!("volary:of-volunteers-{number}"), json!({"prov:label": name})))
    };
    let files = |of: &Value, list: &str| -> Vec<(String, Value)> {
        of.get(list).and_then(Value::as_array).into_iter().flatten().filter_map(told).collect()
    };
    for (i, run) in m.origin.runs.iter().enumerate() {
        let id = format!("volary:run-{}", i + 1);
        let text = |name: &str| run.get(name).and_then(Value::as_str).unwrap_or("unknown");
        let software = format!("volary:software-{}", text("volary"));
        agent.insert(
            software.clone(),
            json!({
                "prov:type": {"$": "prov:SoftwareAgent", "type": "prov:QUALIFIED_NAME"},
                "prov:label": format!("Volary {}", text("volary")),
            }),
        );
        let mut about = json!({"prov:label": format!("volary {}", text("command"))});
        if let Some(seed) = run.get("seed").and_then(Value::as_u64) {
            about["volary:seed"] = json!(seed.to_string());
        }
        activity.insert(id.clone(), about);
        relate(&mut associated, json!({"prov:activity": id, "prov:agent": software}));
        for (source, about) in files(run, "inputs") {
            entity.insert(source.clone(), about);
            relate(&mut used, json!({"prov:activity": id, "prov:entity": source}));
        }
        for (made, about) in files(run, "outputs") {
            entity.insert(made.clone(), about);
            relate(&mut generated, json!({"prov:entity": made, "prov:activity": id}));
        }
    }
    activity.insert(
        "volary:release".into(),
        json!({"prov:label": "volary release", "volary:tier": format!("{:?}", s.tier)}),
    );
    relate(&mut associated, json!({"prov:activity": "volary:release", "prov:agent": "volary:team"}));
    for (source, about) in m.origin.used.iter().filter_map(told) {
        entity.insert(source.clone(), about);
        relate(&mut used, json!({"prov:activity": "volary:release", "prov:entity": source}));
    }
    for file in m.files() {
        let id = format!("volary:{}", file.slug());
        entity.insert(id.clone(), json!({"prov:label": file.path, "volary:sha256": file.sha256}));
        relate(&mut generated, json!({"prov:entity": id, "prov:activity": "volary:release"}));
    }
    json!({
        "prefix": {"volary": "https://volary.invalid/ns#"},
        "entity": entity,
        "activity": activity,
        "agent": agent,
        "used": used,
        "wasGeneratedBy": generated,
        "wasAssociatedWith": associated,
    })
}
