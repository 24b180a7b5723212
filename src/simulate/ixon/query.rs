//! The query of the cloud's lists: fields, filters and paging (vendors/ixon.md section 4.10).

use serde_json::Value;

use super::answers::Problem;
use super::fields::Fields;
use super::filters::Filter;
use crate::simulate::faults::Faults;

/// The documented length of a page.
const PAGE: usize = 20;
/// The longest page that the vendor's own code asks for.
const LONGEST_PAGE: usize = 4000;

/// What a call asks of a list or of an object.
#[derive(Debug)]
pub(super) struct Query {
    fields: Fields,
    filters: Vec<Filter>,
    page_size: usize,
    page_after: Option<String>,
}

impl Query {
    /// Reads the query of a URL; parameters that it does not know are left alone.
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let pairs: Vec<_> = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect();
        let all =
            |wanted: &'static str| pairs.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| &**value);
        let fields = Fields::parse(all("fields")).ok_or_else(|| Problem::invalid("fields"))?;
        let mut filters = Vec::new();
        for written in all("filters") {
            filters.extend(Filter::parse_all(written).ok_or_else(|| Problem::invalid("filters"))?);
        }
        let page_size = match all("page-size").next_back() {
            None => PAGE,
            Some(written) => match written.parse() {
                Ok(size @ 1..) => LONGEST_PAGE.min(size),
                _ => return Err(Problem::invalid("page-size")),
            },
        };
        Ok(Self { fields, filters, page_size, page_after: all("page-after").next_back().map(str::to_owned) })
    }

    /// Cuts one document down to the fields asked for.
    pub(super) fn cut(&self, document: &Value) -> Result<Value, Problem> {
        self.fields.apply(document).ok_or_else(|| Problem::invalid("fields"))
    }

    /// Gives one page, and the cursor of the next: the publicId with which that begins.
    ///
    /// `all` gives each item with its publicId; documents are made only of those that the page may need.
    pub(super) fn page<'a, T>(
        &self,
        all: impl Iterator<Item = (&'a str, T)>,
        document: impl Fn(T) -> Value,
        faults: &Faults,
    ) -> Result<(Vec<Value>, Option<String>), Problem> {
        let most = faults.number("page-size").and_then(|most| usize::try_from(most).ok());
        let page_size = most.map_or(self.page_size, |most| most.min(self.page_size));
        let mut begun = self.page_after.is_none() || faults.is_on("cursor-repeats");
        let mut page = Vec::new();
        for (public_id, item) in all {
            begun = begun || Some(public_id) == self.page_after.as_deref();
            if !begun {
                continue;
            }
            let document = document(item);
            if !self.holds(&document)? {
                continue;
            }
            if page.len() == page_size {
                return Ok((page, Some(public_id.to_owned())));
            }
            page.push(self.cut(&document)?);
        }
        if !begun {
            return Err(Problem::invalid("page-after"));
        }
        Ok((page, None))
    }

    fn holds(&self, document: &Value) -> Result<bool, Problem> {
        for filter in &self.filters {
            if !filter.holds(document).ok_or_else(|| Problem::invalid("filters"))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
