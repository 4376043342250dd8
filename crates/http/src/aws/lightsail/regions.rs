//! GetRegions: clients ask it to find out whether an account works.
//!
//! Every region that the model can name is served, and no zones are told apart.

use roadstead_api_model::lightsail::{GetRegionsRequest, GetRegionsResult, Region, RegionName};
use roadstead_registry::access::Authorized;
use roadstead_registry::access::containers::ContainersKey;

use crate::aws::Call;
use crate::aws::error::Failure;

pub(in crate::aws) async fn get(
    _call: Call<'_>,
    _key: Authorized<ContainersKey>,
    input: GetRegionsRequest,
) -> Result<GetRegionsResult, Failure> {
    let zones = |is_asked: Option<bool>| (is_asked == Some(true)).then(Vec::new);
    let shape = |name: RegionName| {
        let (display_name, continent_code) = place(name);
        Region {
            availability_zones: zones(input.include_availability_zones),
            continent_code: Some(continent_code.into()),
            description: Some(format!("{display_name}, served by this server")),
            display_name: Some(display_name.into()),
            name: Some(name),
            relational_database_availability_zones: zones(
                input.include_relational_database_availability_zones,
            ),
        }
    };
    Ok(GetRegionsResult {
        regions: Some(RegionName::ALL.iter().copied().map(shape).collect()),
    })
}

/// Where a region is: name and continent.
fn place(name: RegionName) -> (&'static str, &'static str) {
    match name {
        RegionName::UsEast1 => ("Virginia", "NA"),
        RegionName::UsEast2 => ("Ohio", "NA"),
        RegionName::UsWest1 => ("Northern California", "NA"),
        RegionName::UsWest2 => ("Oregon", "NA"),
        RegionName::EuWest1 => ("Ireland", "EU"),
        RegionName::EuWest2 => ("London", "EU"),
        RegionName::EuWest3 => ("Paris", "EU"),
        RegionName::EuCentral1 => ("Frankfurt", "EU"),
        RegionName::EuNorth1 => ("Stockholm", "EU"),
        RegionName::EuSouth2 => ("Spain", "EU"),
        RegionName::CaCentral1 => ("Montreal", "NA"),
        RegionName::ApEast1 => ("Hong Kong", "AS"),
        RegionName::ApSouth1 => ("Mumbai", "AS"),
        RegionName::ApSoutheast1 => ("Singapore", "AS"),
        RegionName::ApSoutheast2 => ("Sydney", "OC"),
        RegionName::ApNortheast1 => ("Tokyo", "AS"),
        RegionName::ApNortheast2 => ("Seoul", "AS"),
        RegionName::ApSoutheast3 => ("Jakarta", "AS"),
        RegionName::ApSoutheast5 => ("Malaysia", "AS"),
        RegionName::SaEast1 => ("São Paulo", "SA"),
    }
}
