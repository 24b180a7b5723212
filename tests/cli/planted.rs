//! Servers of all vendors that put what drives terminals, ends lines and begins formulas wherever there is a text.

use serde_json::{Value, json};

use crate::stranger::{Answer, Stranger};

/// What is planted wherever a vendor has a text.
pub(crate) const HOSTILE: &[&str] = &[
    // Sequences of terminals in 7 and 8 bits: clear, title, request, colour.
    "\u{1b}[2J\u{1b}[H",
    "\u{1b}]0;owned\u{7}",
    "\u{1b}P+q544e\u{1b}\\",
    "\u{9b}31mred",
    "\u{9d}0;owned\u{9c}",
    "\u{90}q\u{9c}",
    "a\u{8}\u{8}b\u{7f}",
    "\u{e}shifted\u{f}",
    "nul\0nul",
    // Ends of lines and cells.
    "a\rb",
    "a\nerror: forged",
    "a\r\nb",
    "a\tb",
    "a\u{b}b\u{c}c",
    "a\u{85}b",
    "a\u{2028}b\u{2029}c",
    // Direction, and what nobody sees.
    "\u{202e}txt.exe",
    "\u{202a}a\u{202b}b\u{202d}c\u{202c}",
    "\u{2066}a\u{2067}b\u{2068}c\u{2069}",
    "a\u{200e}b\u{200f}c\u{61c}",
    "a\u{200b}b\u{2060}c\u{feff}",
    "\u{e0041}\u{e0042}\u{e007f}tags",
    "\u{fff9}a\u{fffa}b\u{fffb}",
    "a\u{fffe}b\u{ffff}",
    "❤\u{fe0f}\u{e0100}👩\u{200d}🔧",
    // Formulas, and cells in cells.
    "=1+1",
    "+1+cmd",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    " =1+1",
    "\"=1+1\"",
    "'=1+1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
    "a;=1+1",
    "a,=1+1",
    "a\",\"=1+1",
    "\",=1+1\r\n=2",
    "-inf",
    // The signs of other formats.
    "\"",
    "'x'=1;;",
    "|x|",
    "%0A::error::x",
    "::error title=x::y",
    "]]><b>&amp;",
    "<!-- -->",
    "a # SKIP b",
    "1..0",
    "- a: b",
    "--- !!x",
    "~",
    "null",
    "{\"a\":1}",
    "${x}`x`$(x)",
    "\\n\\u{1b}\\u001b",
    "\"} 1\nvpnctl_connected{target=\"x",
];

/// Gives a name for each: two targets of one name would be shown with their ids, and an empty one is none.
pub(crate) fn names() -> impl Iterator<Item = String> {
    let long = format!("z{}", "\u{301}\u{489}".repeat(300));
    HOSTILE.iter().map(|text| (*text).to_owned()).chain([long])
}

/// All at once.
pub(crate) fn all() -> String {
    names().collect()
}

pub(crate) fn freebox(method: &str, path: &str) -> Answer {
    let named = |(number, name): (usize, String)| {
        json!({"id": format!("vpn{number}{name}"), "description": name, "type": name, "active": false,
               "conf_pptp": {"remote_host": name, name.clone(): name}})
    };
    let result = match (method, path) {
        (_, "/api_version") => {
            return json!({"uid": all(), "api_version": "16.0", "api_base_url": "/api/", "api_domain": all(),
                          "https_port": 443, "device_name": all(), "box_model_name": all()})
            .into();
        }
        (_, "/api/v16/login/") => json!({"logged_in": false, "challenge": "c"}),
        (_, "/api/v16/login/session/") => json!({"session_token": "s", "permissions": {"settings": true, all(): true}}),
        ("GET", "/api/v16/vpn_client/config/") => names().enumerate().map(named).collect(),
        ("GET", "/api/v16/vpn_client/config/vpn0") => named((0, all())),
        ("GET", "/api/v16/vpn_client/log") => json!(names().map(|name| format!("{name}\n")).collect::<String>()),
        ("GET", "/api/v16/vpn_client/status") => json!({
            "enabled": true, "active_vpn": all(), "active_vpn_description": all(), "type": all(), "state": all(),
            "last_error": all(), "stats": {"rate_up": -1, "rate_down": 2, "bytes_up": 3, "bytes_down": 4},
            "ipv4": {"domain": all(), "gateway": all(), "dns": [all(), all()], "ip_mask": {"ip": all(), "mask": all()}},
            all(): all(),
        }),
        _ => return json!({"success": false, "error_code": all(), "msg": all()}).into(),
    };
    json!({"success": true, "result": result}).into()
}

fn ixon(method: &str, path: &str) -> Answer {
    let step = |name: String| json!({"name": name, "description": all(), "status": {"code": "010", "message": all()}});
    let links = ["Status", "Connect", "Disconnect", "Configuration"];
    let mut answer: Answer = match (method, path.split('?').next().unwrap()) {
        ("GET", "/") => {
            let link = |rel: &str| json!({"rel": rel, "href": format!("/{}", rel.to_lowercase())});
            let odd = json!({"rel": all(), "href": "/odd"});
            json!({"links": links.into_iter().map(link).chain([odd]).collect::<Vec<_>>()}).into()
        }
        ("GET", "/status") => json!({"status": "connecting", "activeRequest": {
            "agentId": all(), "companyId": all(), "controllerId": all(), "steps": names().map(step).collect::<Vec<_>>(),
        }})
        .into(),
        ("GET", "/configuration") => json!({"log": all(), all(): all(), "list": [all(), {all(): all()}]}).into(),
        ("GET", "/cloud/agents") => {
            let agent = |(number, name): (usize, String)| {
                json!({"publicId": format!("{name}{number}"), "name": name, "deviceId": format!("d{number}{name}"),
                       "serialNumber": name, "company": {"publicId": "c", "name": name},
                       "custom": {name.clone(): name}})
            };
            json!({"status": "success", "data": names().enumerate().map(agent).collect::<Vec<_>>()}).into()
        }
        ("GET", "/cloud/sectors/me") => json!({"status": "success", "data": []}).into(),
        _ => Answer::text(400, &json!({"status": "error", "data": [{"code": all(), "message": all()}]}).to_string()),
    };
    // What a header can carry of it: bytes above ASCII, which hold the controls of 8 bits and those of direction.
    let told: String = all().chars().filter(|c| !c.is_ascii()).collect();
    answer.headers = format!("server: VPN Client/1.4.6 {told}\r\n");
    answer
}

fn everyware(method: &str, path: &str) -> Answer {
    let page = |items: Vec<Value>| json!({"type": all(), "limitExceeded": false, "size": items.len(), "totalCount": items.len(), "items": items});
    let device = |(number, name): (usize, String)| {
        json!({"id": format!("{name}{number}"), "clientId": name, "displayName": format!("{name}{number}"),
               "serialNumber": name, "tagIds": [name], "customAttribute1": name, "connection": {"status": name}})
    };
    match (method, path.split('?').next().unwrap()) {
        ("POST", "/v1/authentication/user") => json!({"tokenId": "t", "expiresOn": "2999-01-01T00:00:00Z",
                                                      "refreshToken": "r", "type": all()})
        .into(),
        ("GET", "/v1/authentication/info") => {
            let right = |name: String| json!({"permission": {"domain": name, "action": all(), "targetScopeId": all()}});
            json!({"accessPermission": names().map(right).collect::<Vec<_>>()}).into()
        }
        ("GET", "/v1/_/devices") => page(names().enumerate().map(device).collect()).into(),
        ("GET", "/v1/_/vpnConnections") => {
            let connection = |(number, name): (usize, String)| {
                json!({"id": name, "deviceId": format!("{name}{number}"), "inetAddress": name, "createdOn": name})
            };
            page(names().enumerate().map(connection).collect()).into()
        }
        _ => Answer::text(
            500,
            &json!({"type": "x", "kapuaErrorCode": all(), "message": all(), "errorMessage": all(), "argumentName": all()})
                .to_string(),
        ),
    }
}

/// Starts a server that answers so for all vendors.
pub(crate) fn strangers() -> Stranger {
    Stranger::answering(|method, path| match path {
        path if path.starts_with("/api") => freebox(method, path),
        path if path.starts_with("/v1") => everyware(method, path),
        path => ixon(method, path),
    })
}
