//! What a box announces by multicast DNS: vendor page 2.2, «the preferred way».

use crate::backend::{Discovery, Found};
use crate::backends::shared::meaningful;
use crate::http::mdns::Announced;

/// How boxes of both countries announce themselves.
pub(super) const DISCOVERY: Discovery = Discovery { service: "_fbx-api._tcp.local.", read };

/// The port of plain HTTP, which the SRV record of a real box names; HTTPS is on 443 beside it.
const PLAIN: u16 = 80;

fn read(announced: &Announced) -> Found {
    let text = |key: &str| meaningful(announced.properties.get(key).cloned());
    let address = announced.addresses.first().map(ToString::to_string);
    let domain = text("api_domain");
    let italian = domain.as_deref().is_some_and(|domain| domain.ends_with(".ibxos.it"));
    let url = match (&address, announced.port) {
        // The certificate is for this name, whatever address the box has.
        (_, PLAIN) | (None, _) => super::config::url(italian).to_owned(),
        (Some(address), port) => format!("http://{address}:{port}"),
    };
    let port = text("https_port").filter(|_| text("https_available").as_deref() == Some("1"));
    Found {
        name: Some(announced.name.clone()),
        model: text("box_model_name").or_else(|| text("box_model")).or_else(|| text("device_type")),
        id: text("uid"),
        api_version: text("api_version"),
        url,
        address,
        remote_url: domain.zip(port).map(|(domain, port)| format!("https://{domain}:{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::http::mdns::Announced;

    fn announced(port: u16, properties: &[(&str, &str)]) -> Announced {
        Announced {
            name: "Freebox Server".to_owned(),
            port,
            addresses: vec!["192.168.1.254".parse().expect("an address")],
            properties: properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        }
    }

    #[test]
    fn the_captured_record_is_read() {
        let found = read(&announced(
            80,
            &[
                ("api_version", "5.0"),
                ("device_type", "FreeboxServer1,1"),
                ("api_base_url", "/api/"),
                ("uid", "23b86ec8091013d668829fe12791fdab"),
                ("https_available", "1"),
                ("https_port", "54321"),
                ("api_domain", "abcdefg.fbxos.fr"),
            ],
        ));
        assert_eq!(found.url, "https://mafreebox.freebox.fr");
        assert_eq!(found.address.as_deref(), Some("192.168.1.254"));
        assert_eq!(found.remote_url.as_deref(), Some("https://abcdefg.fbxos.fr:54321"));
        assert_eq!(found.model.as_deref(), Some("FreeboxServer1,1"));
        assert_eq!(found.api_version.as_deref(), Some("5.0"));
    }

    #[test]
    fn a_box_of_italy_has_its_own_name_and_one_without_remote_access_no_remote_url() {
        let found =
            read(&announced(80, &[("api_domain", "abcdefg.ibxos.it"), ("https_port", "1"), ("https_available", "0")]));
        assert_eq!((found.url.as_str(), found.remote_url), ("https://myiliadbox.iliad.it", None));
    }

    #[test]
    fn another_port_than_that_of_a_real_box_is_taken_as_it_is() {
        assert_eq!(read(&announced(8080, &[])).url, "http://192.168.1.254:8080");
    }
}
