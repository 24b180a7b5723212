//! The image: one name and version everywhere, and all that building it needs.

use std::path::{Path, PathBuf};

use crate::kinds::pods;
use crate::{path, read};

#[test]
fn manifests_and_image_have_the_version_of_the_package() {
    let containerfile = read("deploy/Containerfile");
    let label = |key: &str| {
        let (_, rest) = containerfile.split_once(&format!("org.opencontainers.image.{key}=\"")).expect("the label");
        rest.split('"').next().unwrap()
    };
    let image = format!("{}:{}", label("title"), label("version"));
    assert_eq!(image, concat!("vpnctl:", env!("CARGO_PKG_VERSION")));
    assert_eq!(label("licenses"), env!("CARGO_PKG_LICENSE"));
    assert!(containerfile.contains(&format!("-t {image} ")), "how to build it tells another name");
    for (manifest, template) in pods() {
        assert_eq!(template.spec.containers[0].image, image, "{manifest}");
        let user = template.spec.security_context.run_as_user;
        assert!(containerfile.contains(&format!("USER {user}:{user}\n")), "{manifest}: another user than the image's");
    }
    let command = containerfile.lines().find_map(|line| line.strip_prefix("ENTRYPOINT ")).unwrap();
    let [program]: [String; 1] = serde_json::from_str(command).unwrap();
    assert!(containerfile.contains(&format!("/vpnctl {program}\n")), "the image starts what it does not have");
}

/// Finds what the source takes in from outside of `src`.
fn taken_in(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.is_dir() {
            taken_in(&file, found);
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        for macro_name in ["include_str!(\"", "include_bytes!(\""] {
            for (at, _) in text.match_indices(macro_name) {
                let name = text[at + macro_name.len()..].split('"').next().unwrap();
                let target =
                    file.parent().unwrap().join(name).canonicalize().unwrap_or_else(|error| panic!("{name}: {error}"));
                if !target.starts_with(path("src").canonicalize().unwrap()) {
                    found.push(target);
                }
            }
        }
    }
}

#[test]
fn the_image_is_built_from_all_that_the_build_reads() {
    let mut outside = vec![path("Cargo.toml"), path("Cargo.lock")];
    taken_in(&path("src"), &mut outside);
    let containerfile = read("deploy/Containerfile");
    let copied: Vec<&str> = containerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY ").filter(|rest| !rest.starts_with("--")))
        .flat_map(|line| line.split(' ').filter(|word| !word.starts_with('.')))
        .collect();
    let let_in = read("deploy/Containerfile.dockerignore");
    for file in outside {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert_eq!(file.parent().unwrap().canonicalize().unwrap(), path(".").canonicalize().unwrap(), "{name}");
        assert!(copied.contains(&name), "{name} is not copied: {copied:?}");
    }
    for name in copied {
        assert!(path(name).exists(), "{name}");
        assert!(let_in.lines().any(|line| line == format!("!{name}")), "{name} is kept out of the build");
    }
    assert!(let_in.lines().any(|line| line == "*"));
}
