//! The headers by which the cloud knows its callers (vendors/ixon.md sections 4.7 and 6).

use axum::http::{HeaderMap, StatusCode, header};

use super::agents::Company;
use super::answers::Problem;
use super::cloud::Cloud;
use super::request::is_company_id;
use super::tokens::Token;

/// Checks `Api-Version`, which every call needs.
pub(super) fn version(headers: &HeaderMap) -> Result<(), Problem> {
    match text(headers, "Api-Version")? {
        "2" => Ok(()),
        _ => Err(Problem::invalid("Api-Version")),
    }
}

/// Checks `Api-Application`, which all calls but the discovery need.
pub(super) fn application(headers: &HeaderMap) -> Result<(), Problem> {
    let id = text(headers, "Api-Application")?;
    match id.len() {
        0..12 => Err(Problem::length("Api-Application", true)),
        12 if id == super::APPLICATION => Ok(()),
        12 => Err(Problem::invalid("Api-Application")),
        _ => Err(Problem::length("Api-Application", false)),
    }
}

/// Gives the `Authorization` header as it is.
pub(super) fn authorization(headers: &HeaderMap) -> Result<&str, Problem> {
    text(headers, header::AUTHORIZATION.as_str())
        .map_err(|_| Problem::required("Authorization").with_status(StatusCode::UNAUTHORIZED))
}

/// Checks application and bearer; gives the secretId and its token.
pub(super) fn bearer(headers: &HeaderMap, cloud: &Cloud) -> Result<(String, Token), Problem> {
    application(headers)?;
    let secret = authorization(headers)?.strip_prefix("Bearer ").filter(|secret| secret.len() == 32);
    let malformed = || Problem::invalid("Authorization").with_status(StatusCode::UNAUTHORIZED);
    let secret = secret.ok_or_else(malformed)?;
    Ok((secret.to_owned(), cloud.token(secret)?))
}

/// Checks application, bearer and company; gives the company.
pub(super) fn company(headers: &HeaderMap, cloud: &Cloud) -> Result<Company, Problem> {
    bearer(headers, cloud)?;
    let id = text(headers, "Api-Company")?;
    let company = Company::find(id).filter(|_| is_company_id(id));
    company.ok_or_else(|| Problem::invalid("Api-Company"))
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Problem> {
    let value = headers.get(name).ok_or_else(|| Problem::required(name))?;
    value.to_str().map_err(|_| Problem::invalid(name))
}
