//! What a file's path says about it.

/// A path, and the parts of it by which formats are recognised.
pub(crate) struct Name<'p> {
    /// The whole path, with `/`.
    pub(crate) path: &'p str,
    /// The file's name in lower case, without the ending of a template (`.j2`, `.jinja`, `.erb`, `.eex`).
    pub(crate) file: String,
}

/// Extensions of files that cannot have any of the formats: such files are not opened.
const OTHER: &str = " 7z a adoc avi avif bin bmp bz2 c cc class cmake cpp crt css csv cxx dart db dll dockerignore \
    doc docx dylib eot erl ex exe \
     exs flac gif graphql gz h hpp hs htm html hxx ico ini jar jpeg jpg key less lock log lua m map md mdx mod mov \
     mp3 mp4 o ogg otf out \
     parquet patch pb pdf pem php pkl pl png po proto psd pt pyc pyd r rb rlib rst s sass scss so sqlite sql sum \
     svelte svg swift tar tgz \
     tif tiff toml ttf txt vue wasm wav webm webp woff woff2 xls xlsx xml xz zip zig zst diff pickle npy gitignore \
     gitattributes \
     editorconfig npmrc nvmrc snap ipynb properties gradle ";

impl<'p> Name<'p> {
    /// Takes a path apart.
    pub(crate) fn of(path: &'p str) -> Self {
        let mut file = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        for ending in [".j2", ".jinja", ".jinja2", ".erb", ".eex"] {
            if let Some(rest) = file.strip_suffix(ending) {
                file.truncate(rest.len());
                break;
            }
        }
        Self { path, file }
    }

    /// What follows the name's last dot; empty for `Makefile`.
    pub(crate) fn extension(&self) -> &str {
        self.file.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// Whether the extension is one of these.
    pub(crate) fn has_extension(&self, extensions: &[&str]) -> bool {
        extensions.contains(&self.extension())
    }

    /// Whether this is YAML or JSON by its name, or a template of it.
    pub(crate) fn is_document(&self) -> bool {
        self.has_extension(&["yml", "yaml", "json", "template", "tpl", "tftpl", "tmpl", "jsonc"])
    }

    /// Whether this is YAML by its name.
    pub(crate) fn is_yaml(&self) -> bool {
        self.has_extension(&["yml", "yaml"])
    }

    /// Whether a directory of this name is in the path.
    pub(crate) fn is_below(&self, directory: &str) -> bool {
        self.path.match_indices(directory).any(|(at, _)| {
            let before = at == 0 || self.path.as_bytes()[at - 1] == b'/';
            before && self.path.as_bytes().get(at + directory.len()) == Some(&b'/')
        })
    }

    /// Whether the file lies directly in a directory of this name.
    pub(crate) fn is_in(&self, directory: &str) -> bool {
        let parent = self.path.rsplit_once('/').map_or("", |(parent, _)| parent);
        parent.strip_suffix(directory).is_some_and(|before| before.is_empty() || before.ends_with('/'))
    }

    /// Whether the name says that the file has none of the formats.
    pub(crate) fn is_other(&self) -> bool {
        let extension = self.extension();
        !extension.is_empty() && OTHER.split(' ').any(|other| other == extension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_path() {
        let name = Name::of("a/.github/workflows/Ci.YML.j2");
        assert_eq!((name.file.as_str(), name.extension()), ("ci.yml", "yml"));
        assert!(name.is_yaml() && name.is_below(".github/workflows") && !name.is_below("github/workflows"));
        assert!(
            name.is_in(".github/workflows")
                && !name.is_in("workflows/x")
                && !Name::of(".github/workflows/x/a.yml").is_in(".github/workflows")
        );
        assert!(Name::of("x.png").is_other() && !Name::of("Makefile").is_other() && !Name::of("a.sh").is_other());
    }
}
