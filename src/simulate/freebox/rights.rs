//! The rights that an application can have.

use serde_json::{Map, Value, json};

/// The rights that a session names, with the description of `login/perms/` (vendor/freebox.md sections 3.3 and 4.9).
const RIGHTS: [(&str, &str); 14] = [
    ("parental", "Accès au contrôle parental"),
    ("tv", "Accès au guide TV"),
    ("explorer", "Accès aux fichiers de la Freebox"),
    ("contacts", "Accès à la base de contacts de la Freebox"),
    ("wdo", "Provisionnement des équipements"),
    ("camera", "Accès aux caméras"),
    ("profile", "Gestion des profils utilisateur"),
    ("player", "Contrôle du Freebox Player"),
    ("settings", "Modification des réglages de la Freebox "),
    ("calls", "Accès au journal d’appels"),
    ("home", "Gestion de l’alarme et maison connectée"),
    ("pvr", "Programmation des enregistrements"),
    ("vm", "Contrôle de la VM"),
    ("downloader", "Accès au gestionnaire de téléchargements"),
];

/// Holds the rights of one session. All are granted on the front panel but `settings`, which is given by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rights {
    /// Whether settings may be changed and secrets read.
    pub(super) settings: bool,
}

impl Rights {
    /// Writes the rights as a session's `permissions`.
    pub(super) fn permissions(self) -> Value {
        self.object(|granted, _| json!(granted))
    }

    /// Writes the rights as `login/perms/` does.
    pub(super) fn described(self) -> Value {
        self.object(|granted, desc| json!({"granted": granted, "desc": desc}))
    }

    fn object(self, value: impl Fn(bool, &str) -> Value) -> Value {
        let entries = RIGHTS.iter().map(|(name, desc)| {
            let granted = *name != "settings" || self.settings;
            ((*name).to_owned(), value(granted, desc))
        });
        Value::Object(entries.collect::<Map<_, _>>())
    }
}
